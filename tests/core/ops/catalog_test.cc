#include "core/ops/catalog.h"

#include <gtest/gtest.h>

#include "core/ops/table_description.h"
#include "core/ops/tokens.h"
#include "ops_node.h"
#include "tests/golden/hex.h"

namespace millrace {
namespace {

Table example() {
  Table table;
  table.name = "films";
  table.id = "0f1e2d3c-0000-4000-8000-000000000000";
  table.generation = 1'782'000'000'000'000;
  table.key.partition = {"year", ValueType::kNumber};
  table.key.sort = KeyAttribute{"title", ValueType::kString};
  table.billing_mode = "PROVISIONED";
  table.read_units = 5;
  table.write_units = 6;
  table.created_ms = 1'700'000'000'123;
  table.pay_per_request_ms = 1'700'000'000'456;
  table.deletion_protection = true;
  StreamDefinition closed;
  closed.label = "2023-11-14T22:13:20.123";
  closed.view_type = StreamViewType::kKeysOnly;
  closed.enabled_at = 1'782'000'000'000'000;
  closed.created_ms = 1'700'000'000'123;
  closed.open_shards(4);
  closed.disable(1'782'000'000'000'009, 1'700'000'001'000);
  StreamDefinition open;
  open.label = "2023-11-14T22:13:22.000";
  open.enabled_at = 1'782'000'000'000'010;
  open.created_ms = 1'700'000'002'000;
  open.open_shards(4);
  table.streams = {closed, open};
  return table;
}

TEST(Catalog, a_definition_comes_back_as_it_was) {
  Table table = example();
  std::string encoded = Catalog::encode(table);
  Table decoded = Catalog::decode(ItemView(encoded)).value();
  EXPECT_EQ(Catalog::encode(decoded), encoded);
  EXPECT_EQ(decoded.name, table.name);
  EXPECT_EQ(decoded.generation, table.generation);
  EXPECT_EQ(decoded.key.partition.type, ValueType::kNumber);
  ASSERT_TRUE(decoded.key.sort.has_value());
  EXPECT_EQ(decoded.key.sort->name, "title");
  ASSERT_EQ(decoded.streams.size(), 2u);
  EXPECT_EQ(decoded.streams[0].disabled_at, table.streams[0].disabled_at);
  EXPECT_EQ(decoded.streams[0].view_type, StreamViewType::kKeysOnly);
  EXPECT_FALSE(decoded.streams[1].disabled_at.has_value());
  EXPECT_EQ(decoded.enabled_stream()->label, "2023-11-14T22:13:22.000");
}

TEST(Catalog, a_table_is_found_as_it_is_now_and_in_its_own_catalogue) {
  OpsNode one, other;
  one.create_table("films");
  other.create_table("films");
  const TablePtr first = one.catalog().find("films");
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(one.catalog().find("films"), first);
  const TablePtr others = other.catalog().find("films");
  EXPECT_NE(others, first);
  EXPECT_EQ(one.catalog().find("films"), first);

  one.ok("UpdateTable", "{'TableName':'films','DeletionProtectionEnabled':true}");
  EXPECT_TRUE(one.catalog().find("films")->deletion_protection);
  EXPECT_EQ(other.catalog().find("films"), others);
  one.restart();
  EXPECT_TRUE(one.catalog().find("films")->deletion_protection);
  one.clock.advance(60'000);
  one.ok("UpdateTable", "{'TableName':'films','DeletionProtectionEnabled':false}");
  one.ok("DeleteTable", "{'TableName':'films'}");
  EXPECT_EQ(one.catalog().find("films"), nullptr);
  EXPECT_EQ(other.catalog().find("films"), others);
}

// These bytes are on disk: if this test must change, data folders of the release before no longer
// open.
TEST(Catalog, golden_bytes_of_a_definition) {
  Table table;
  table.name = "films";
  table.id = "id";
  table.generation = 1024;
  table.key.partition = {"pk", ValueType::kString};
  table.billing_mode = "PAY_PER_REQUEST";
  table.created_ms = 1;
  EXPECT_EQ(hex(Catalog::key_of("films")), "000000000000000198cd268f5cf88a8c000566696c6d73");
  EXPECT_EQ(hex(Catalog::encode(table)),
            "0d0b42696c6c696e674d6f6465040f5041595f5045525f5245515545535407437265617465640303"
            "c0820b1244656c6574696f6e50726f74656374696f6e0106466f726d61740303c0820b0a47656e65"
            "726174696f6e0304c0850b190d4b6565704f6c64496d61676573010c506172746974696f6e4b6579"
            "0a1202044e616d650402706b0454797065040153125061795065725265717565737453696e636503"
            "01800952656164556e6974730301800753747265616d73090100075461626c654964040269640954"
            "61626c654e616d65040566696c6d730a5772697465556e697473030180");
}

Table indexed_example() {
  Table table = example();
  Index global;
  global.name = "byYear";
  global.generation = index_generation(1024, 1);
  global.key.partition = {{"a", ValueType::kString}, {"b", ValueType::kBinary}};
  global.key.sort = {{"c", ValueType::kNumber}};
  global.projection = IndexProjection::kInclude;
  global.non_key_attributes = {"x", "y"};
  global.status = IndexStatus::kCreating;
  global.read_units = 1;
  Index local;
  local.name = "local";
  local.kind = IndexKind::kLocal;
  local.generation = index_generation(1024, 2);
  local.key.partition = {table.key.partition};
  local.key.sort = {{"d", ValueType::kString}};
  table.indexes = {global, local};
  return table;
}

TEST(Catalog, indexes_come_back_as_they_were) {
  const Table table = indexed_example();
  const std::string encoded = Catalog::encode(table);
  const Table decoded = Catalog::decode(ItemView(encoded)).value();
  EXPECT_EQ(Catalog::encode(decoded), encoded);
  ASSERT_EQ(decoded.indexes.size(), 2u);
  const Index& global = decoded.indexes[0];
  EXPECT_EQ(global.kind, IndexKind::kGlobal);
  EXPECT_EQ(global.generation, index_generation(1024, 1));
  EXPECT_EQ(global.key.partition[1].type, ValueType::kBinary);
  EXPECT_EQ(global.key.sort[0].name, "c");
  EXPECT_EQ(global.projection, IndexProjection::kInclude);
  EXPECT_EQ(global.non_key_attributes, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(global.status, IndexStatus::kCreating);
  EXPECT_EQ(decoded.indexes[1].kind, IndexKind::kLocal);
  EXPECT_EQ(decoded.indexes[1].projection, IndexProjection::kAll);
  ItemTree tree = decode_item(ItemView(encoded));
  tree["Indexes"] = Value::list({Value::map({{"Name", Value::string("half")}})});
  EXPECT_EQ(Catalog::decode(ItemView(encode_item(tree))).error().code, ErrorCode::kCorruption);
}

// These bytes are on disk, as the rest of a definition.
TEST(Catalog, golden_bytes_of_a_definitions_indexes) {
  const std::string encoded = Catalog::encode(indexed_example());
  EXPECT_EQ(hex(ItemView(encoded).get("Indexes")->encoded()),
            "09ac03020ae2010a0a47656e65726174696f6e030ac0915b08145d374b1511044b696e640406474c"
            "4f42414c044e616d650406627959656172104e6f6e4b657941747472696275746573090702040178"
            "0401790c506172746974696f6e4b65790927020a1102044e616d6504016104547970650401530a11"
            "02044e616d6504016204547970650401420a50726f6a656374696f6e0407494e434c554445095265"
            "6164556e6974730303c0820b07536f72744b65790914010a1102044e616d65040163045479706504"
            "014e0653746174757304084352454154494e470a5772697465556e6974730301800ac3010a0a4765"
            "6e65726174696f6e030bc09213022c63335f540151044b696e6404054c4f43414c044e616d650405"
            "6c6f63616c104e6f6e4b6579417474726962757465730901000c506172746974696f6e4b65790917"
            "010a1402044e616d65040479656172045479706504014e0a50726f6a656374696f6e0403414c4c09"
            "52656164556e69747303018007536f72744b65790914010a1102044e616d65040164045479706504"
            "01530653746174757304064143544956450a5772697465556e697473030180");
}

TEST(Catalog, golden_bytes_of_a_token) {
  TokenRecord record;
  record.request_hash = 0x0102030405060708;
  record.time_ms = 1'700'000'000'000;
  record.read_units["films"] = HalfUnits{4};
  EXPECT_EQ(hex(token_key("token")), "0000000000000003ae23c8ed1a12e6190005746f6b656e");
  std::string encoded = encode_token("token", record);
  EXPECT_EQ(
      hex(encoded),
      "050448617368050808070605040302010848617368466f726d0303c0820b0d5265616448616c66556e697473"
      "0a0c010566696c6d730303c082290454696d650303c08e1205546f6b656e0405746f6b656e");
  RequestHash hash;
  hash.add(std::string_view("put"));
  hash.add(std::optional<std::string_view>());
  hash.add(std::map<std::string, std::string, std::less<>>{{":a", "x"}});
  EXPECT_EQ(hash.finish(), 16747658179552218449u);
  TokenRecord decoded = decode_token(ItemView(encoded)).value();
  EXPECT_EQ(decoded.request_hash, record.request_hash);
  EXPECT_EQ(decoded.time_ms, record.time_ms);
  EXPECT_EQ(decoded.read_units.at("films").count, 4u);
}

TEST(Catalog, a_definition_that_is_damaged_or_of_a_newer_release_is_refused_by_name) {
  ItemTree tree = decode_item(ItemView(Catalog::encode(example())));
  ItemTree missing = tree;
  missing.erase("TableId");
  auto decoded = Catalog::decode(ItemView(encode_item(missing)));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
  EXPECT_NE(decoded.error().message.find("TableId"), std::string::npos);
  ItemTree newer = tree;
  newer["Format"] = Value::number(Number::parse("3").value());
  decoded = Catalog::decode(ItemView(encode_item(newer)));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::kConfig);
  ItemTree more = tree;
  more["Later"] = Value::boolean(true);
  EXPECT_TRUE(Catalog::decode(ItemView(encode_item(more))));
}

TEST(Catalog, labels_are_times_and_never_repeat_in_a_table) {
  EXPECT_EQ(stream_label(0), "1970-01-01T00:00:00.000");
  EXPECT_EQ(stream_label(1'795'428'000'007), "2026-11-23T10:00:00.007");
  const Table table = example();
  const Catalog catalog("eu-west-1", "000000000000");
  EXPECT_EQ(new_stream(catalog, table, StreamViewType::kNewImage, 7, 0).label,
            "2023-11-14T22:13:22.001");
}

}  // namespace
}  // namespace millrace
