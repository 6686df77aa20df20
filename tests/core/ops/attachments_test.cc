#include "core/ops/attachments.h"

#include <gmock/gmock.h>

#include "core/ops/catalog.h"

namespace millrace {
namespace {

using testing::HasSubstr;

Table example() {
  Table table;
  table.name = "films";
  table.id = "id";
  table.generation = 1;
  table.key.partition = {"pk", ValueType::kString};
  table.billing_mode = "PAY_PER_REQUEST";
  return table;
}

TEST(Attachments, are_kept_with_the_definition) {
  Table table = example();
  TableAttachments& attachments = table.attachments;
  attachments.tags = {{"env", "test"}, {"empty", ""}};
  attachments.stream_tags["2026"] = {{"of", "stream"}};
  attachments.policy = ResourcePolicy{"{}", 1'700'000'000'000};
  attachments.stream_policies["2026"] = ResourcePolicy{"{\"a\":1}", 2};
  attachments.recovery = PointInTimeRecovery{1'700'000'000'001, 7};
  const Table read = Catalog::decode(ItemView(Catalog::encode(table))).value();
  EXPECT_EQ(read.attachments.tags, attachments.tags);
  EXPECT_EQ(read.attachments.stream_tags, attachments.stream_tags);
  EXPECT_EQ(read.attachments.policy->document, "{}");
  EXPECT_EQ(read.attachments.policy->revision_id(), "1700000000000");
  EXPECT_EQ(read.attachments.stream_policies.at("2026").document, "{\"a\":1}");
  EXPECT_EQ(read.attachments.recovery->enabled_ms, 1'700'000'000'001);
  EXPECT_EQ(read.attachments.recovery->period_days, 7);
}

// What is on the disk: the names of attributes and the types of their values.
TEST(Attachments, persisted_names) {
  TableAttachments attachments;
  attachments.tags = {{"env", "test"}};
  attachments.stream_tags["2026"] = {{"of", "stream"}};
  attachments.policy = ResourcePolicy{"{}", 5};
  attachments.stream_policies["2026"] = ResourcePolicy{"{}", 6};
  attachments.recovery = PointInTimeRecovery{7, 35};
  Value::Map definition;
  put_attachments(attachments, definition);
  const Value::Map expected{
      {"Tags", Value::map({{"env", Value::string("test")}})},
      {"StreamTags", Value::map({{"2026", Value::map({{"of", Value::string("stream")}})}})},
      {"Policy", Value::map({{"Document", Value::string("{}")},
                             {"Revision", Value::number(Number::parse("5").value())}})},
      {"StreamPolicies",
       Value::map(
           {{"2026", Value::map({{"Document", Value::string("{}")},
                                 {"Revision", Value::number(Number::parse("6").value())}})}})},
      {"PointInTimeRecovery", Value::map({{"Since", Value::number(Number::parse("7").value())},
                                          {"Days", Value::number(Number::parse("35").value())}})}};
  EXPECT_EQ(encode_item(definition), encode_item(expected));
}

TEST(Attachments, a_table_without_any_is_persisted_as_before) {
  Value::Map definition;
  put_attachments({}, definition);
  EXPECT_TRUE(definition.empty());
}

TEST(Attachments, tags_are_added_up_to_their_limit) {
  Tags tags;
  for (size_t i = 0; i < kTagsMax; ++i)
    ASSERT_TRUE(add_tags({{"k" + std::to_string(i), "v"}}, tags));
  EXPECT_TRUE(add_tags({{"k0", "w"}}, tags));
  EXPECT_EQ(tags["k0"], "w");
  EXPECT_FALSE(add_tags({{"one more", "v"}}, tags));
}

TEST(Attachments, policies_are_json_of_a_bounded_size) {
  const std::string statement =
      R"({"Effect":"Deny","NotPrincipal":"*","Action":"a","Resource":"*"})";
  for (const std::string& statements : {statement, "[" + statement + "," + statement + "]"}) {
    const std::string policy = "{\"Statement\":" + statements + "}";
    EXPECT_EQ(checked_policy(policy).value(), policy);
    EXPECT_EQ(checked_policy("\n{ \"Statement\" :\t" + statements + " }").value(), policy);
  }
  for (const char* bad : {"", "{", "[]", "\"text\"", "{} x", "{\"Statement\":[5]}"})
    EXPECT_FALSE(checked_policy(bad)) << bad;
  const std::string large = "{\"a\":\"" + std::string(kPolicyBytesMax, 'x') + "\"}";
  EXPECT_THAT(checked_policy(large).error().message, HasSubstr("20480 bytes exceeded"));
}

}  // namespace
}  // namespace millrace
