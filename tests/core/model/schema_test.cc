#include "core/model/schema.h"

#include "core/base/hash.h"
#include "core/base/random.h"
#include "tests/golden/hex.h"

namespace millrace {
namespace {

Value number(std::string_view text) { return Value::number(Number::parse(text).value()); }

KeySchema schema_of(ValueType partition, std::optional<ValueType> sort = std::nullopt) {
  KeySchema schema;
  schema.partition.name = "pk";
  schema.partition.type = partition;
  if (sort) {
    schema.sort.emplace().name = "sk";
    schema.sort->type = *sort;
  }
  return schema;
}

const KeySchema kHashOnly = schema_of(ValueType::kString);
const KeySchema kComposite = schema_of(ValueType::kString, ValueType::kNumber);

Result<std::string> key_of(const KeySchema& schema, const ItemTree& item, bool exact) {
  const std::string encoded = encode_item(item);
  return store_key(schema, 7, ItemView(encoded).attributes(), exact);
}

std::string error_of(const KeySchema& schema, const ItemTree& item, bool exact) {
  Result<std::string> key = key_of(schema, item, exact);
  if (key) return "a key";
  EXPECT_EQ(key.error().code, ErrorCode::kValidation);
  return key.error().message;
}

TEST(StoreKey, BytesArePersistedAsTheyAre) {
  EXPECT_EQ(
      hex(key_of(kComposite, {{"pk", Value::string("a")}, {"sk", number("12.5")}}, true).value()),
      "0000000000000007"
      "e6c632b61e964e1f"
      "0001"
      "61"
      "c0830d33");
  EXPECT_EQ(hex(key_of(kHashOnly, {{"pk", Value::string("a")}}, true).value()),
            "0000000000000007"
            "e6c632b61e964e1f"
            "0001"
            "61");
}

TEST(StoreKey, IsSplitIntoItsParts) {
  const std::string key =
      key_of(kComposite, {{"pk", Value::string("abc")}, {"sk", number("1")}}, true).value();
  const StoreKeyView view = split_store_key(key).value();
  EXPECT_EQ(view.generation, 7u);
  EXPECT_EQ(view.partition_hash, xxh3_64("abc"));
  EXPECT_EQ(view.partition_scalar, "abc");
  EXPECT_EQ(view.sort_scalar, number("1").scalar());
  std::string prefix;
  append_partition_prefix(7, "abc", prefix);
  EXPECT_TRUE(key.starts_with(prefix));
  for (size_t size = 0; size < prefix.size(); ++size) {
    EXPECT_EQ(split_store_key(key.substr(0, size)).error().code, ErrorCode::kCorruption) << size;
  }
}

TEST(StoreKey, BeginsWithItsPartition) {
  std::string prefix;
  append_partition_prefix(7, "partition", prefix);
  EXPECT_EQ(partition_prefix(prefix), prefix);
  EXPECT_EQ(partition_prefix(prefix + "sort"), prefix);
}

TEST(StoreKey, OrdersAPartitionBySortKey) {
  std::string previous;
  for (const char* sort : {"-100", "-2.5", "-2", "0", "0.1", "2", "10", "1e20"}) {
    std::string key =
        key_of(kComposite, {{"pk", Value::string("p")}, {"sk", number(sort)}}, true).value();
    EXPECT_LT(previous, key) << sort;
    previous = std::move(key);
  }
}

TEST(StoreKey, AnExactKeyHasTheKeyAttributesAndNoMore) {
  const char* mismatch = "The provided key element does not match the schema";
  EXPECT_EQ(error_of(kHashOnly, {}, true), mismatch);
  EXPECT_EQ(error_of(kHashOnly, {{"other", Value::string("a")}}, true), mismatch);
  EXPECT_EQ(error_of(kHashOnly, {{"pk", number("1")}}, true), mismatch);
  EXPECT_EQ(error_of(kHashOnly, {{"pk", Value::string("a")}, {"x", number("1")}}, true), mismatch);
  EXPECT_EQ(error_of(kComposite, {{"pk", Value::string("a")}}, true), mismatch);
  EXPECT_EQ(error_of(kComposite, {{"pk", Value::string("a")}, {"sk", Value::string("1")}}, true),
            mismatch);
}

TEST(StoreKey, AnItemMustHaveItsKey) {
  const std::string invalid = "One or more parameter values were invalid: ";
  EXPECT_EQ(error_of(kHashOnly, {{"a", number("1")}}, false),
            invalid + "Missing the key pk in the item");
  EXPECT_EQ(error_of(kComposite, {{"pk", Value::string("a")}}, false),
            invalid + "Missing the key sk in the item");
  EXPECT_EQ(error_of(kHashOnly, {{"pk", number("1")}}, false),
            invalid + "Type mismatch for key pk expected: S actual: N");
  EXPECT_EQ(error_of(kHashOnly, {{"pk", Value::boolean(true)}}, false),
            invalid + "Type mismatch for key pk expected: S actual: BOOL");
  EXPECT_EQ(error_of(kHashOnly, {{"pk", Value::string("a")}, {"more", number("1")}}, false),
            "a key");
}

TEST(StoreKey, KeyValuesHaveBounds) {
  const KeySchema binary = schema_of(ValueType::kBinary, ValueType::kString);
  const std::string empty =
      "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
      "contain an empty ";
  EXPECT_EQ(error_of(kHashOnly, {{"pk", Value::string("")}}, true),
            empty + "string value. Key: pk");
  EXPECT_EQ(error_of(binary, {{"pk", Value::binary("")}, {"sk", Value::string("a")}}, false),
            empty + "binary value. Key: pk");
  EXPECT_EQ(error_of(binary, {{"pk", Value::binary("a")}, {"sk", Value::string("")}}, false),
            empty + "string value. Key: sk");
  EXPECT_EQ(error_of(kHashOnly, {{"pk", Value::string(std::string(2048, 'a'))}}, true), "a key");
  EXPECT_EQ(
      error_of(kHashOnly, {{"pk", Value::string(std::string(2049, 'a'))}}, true),
      "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size "
      "limit of2048 bytes");
  const auto with_sort = [](size_t size) {
    return ItemTree{{"pk", Value::binary("a")}, {"sk", Value::string(std::string(size, 'a'))}};
  };
  EXPECT_EQ(error_of(binary, with_sort(1024), true), "a key");
  EXPECT_EQ(
      error_of(binary, with_sort(1025), true),
      "One or more parameter values were invalid: Aggregated size of all range keys has exceeded "
      "the size limit of 1024 bytes");
}

TEST(PrefixSuccessor, IsTheLeastStringBehindThePrefix) {
  EXPECT_EQ(prefix_successor("a"), "b");
  EXPECT_EQ(prefix_successor("a\xff"), "b");
  EXPECT_EQ(prefix_successor("\xff\xff"), "");
  EXPECT_EQ(prefix_successor(""), "");
  EXPECT_EQ(prefix_successor(std::string("a\0", 2)), "a\x01");
}

}  // namespace
}  // namespace millrace
