#include "sidecar/subscription_requests.h"

#include <functional>

namespace millrace::sidecar {
namespace {

using streams::StartAt;

TEST(SubscriptionRequests, CreateHasDefaults) {
  auto create = parse_create(R"({"subscription":"mail"})");
  ASSERT_TRUE(create) << create.error().message;
  EXPECT_EQ(create->definition.name, "mail");
  EXPECT_TRUE(create->definition.tables.empty());
  EXPECT_EQ(create->definition.filter, "");
  EXPECT_EQ(create->definition.shards, 4u);
  EXPECT_EQ(create->from.kind, StartAt::Kind::kTrimHorizon);
}

TEST(SubscriptionRequests, CreateSaysAll) {
  auto create = parse_create(
      R"({"subscription":"mail","tables":["b","a","b"],"shards":64,"from":1790000000.25,)"
      R"("filter": {"eventName" : ["INSERT"]} })");
  ASSERT_TRUE(create) << create.error().message;
  EXPECT_EQ(create->definition.tables, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(create->definition.shards, 64u);
  EXPECT_EQ(create->definition.filter, R"({"eventName":["INSERT"]})");
  EXPECT_EQ(create->from.kind, StartAt::Kind::kTime);
  EXPECT_EQ(create->from.time_ms, 1'790'000'000'250);
}

TEST(SubscriptionRequests, TheOthersSayAll) {
  EXPECT_EQ(parse_delete(R"({"subscription":"s"})")->subscription, "s");
  auto reset = parse_reset(R"({"subscription":"s","from":"latest"})");
  ASSERT_TRUE(reset);
  EXPECT_EQ(reset->from.kind, StartAt::Kind::kLatest);
  auto join = parse_join(R"({"subscription":"s","member":"me","timeout_ms":5000})");
  ASSERT_TRUE(join);
  EXPECT_EQ(join->member, "me");
  EXPECT_EQ(join->timeout_ms, 5000);
  EXPECT_EQ(parse_join(R"({"subscription":"s"})")->timeout_ms, 10'000);
  EXPECT_EQ(parse_leave(R"({"subscription":"s","session":"x"})")->session, "x");
  auto poll =
      parse_poll(R"({"subscription":"s","session":"x","received":9,"wait_ms":20000,"records":1000,)"
                 R"("bytes":1048576})");
  ASSERT_TRUE(poll);
  EXPECT_EQ(poll->received, 9u);
  EXPECT_EQ(poll->wait_ms, 20'000);
  EXPECT_EQ(poll->records, 1000);
  EXPECT_EQ(poll->bytes, 1 << 20);
  auto done = parse_acknowledge(
      R"({"subscription":"s","session":"x","acknowledged":[{"shard":1,"epoch":2,"lsn":3},)"
      R"({"shard":4294967295,"epoch":9223372036854775807,"lsn":9223372036854775807}]})");
  ASSERT_TRUE(done);
  ASSERT_EQ(done->acknowledged.size(), 2u);
  EXPECT_EQ(done->acknowledged[0].lease, (streams::Lease{1, 2}));
  EXPECT_EQ(done->acknowledged[0].lsn, 3u);
  EXPECT_EQ(done->acknowledged[1].lease, (streams::Lease{UINT32_MAX, INT64_MAX}));
}

// What is wrong, and a part of what is said of it.
struct Mistake {
  std::string body, words;
};

template <typename Parse>
void expect_refused(Parse parse, const std::vector<Mistake>& mistakes) {
  for (const Mistake& mistake : mistakes) {
    auto request = parse(mistake.body);
    ASSERT_FALSE(request) << mistake.body;
    EXPECT_EQ(request.error().code, ErrorCode::kValidation) << mistake.body;
    EXPECT_NE(request.error().message.find(mistake.words), std::string::npos)
        << mistake.body << ": " << request.error().message;
  }
}

TEST(SubscriptionRequests, WhatIsNoObjectIsRefused) {
  const std::vector<Mistake> mistakes = {
      {"", "an object of JSON"},     {"[]", "an object of JSON"},
      {"{", "an object of JSON"},    {"\"s\"", "an object of JSON"},
      {"{}{}", "an object of JSON"}, {std::string(200'000, '['), "an object of JSON"},
  };
  expect_refused(parse_create, mistakes);
  expect_refused(parse_poll, mistakes);
  expect_refused(parse_acknowledge, mistakes);
}

TEST(SubscriptionRequests, UnknownFieldsAreNamedWithTheNearest) {
  const std::vector<Mistake> mistakes = {
      {R"({"subscription":"s","tabels":[]})", "'tabels' is not known here; did you mean 'tables'?"},
      {R"({"subscription":"s",")" + std::string(500'000, 'x') + R"(":1})", "is not known here"},
  };
  expect_refused(parse_create, mistakes);
  auto refused = parse_create(mistakes[1].body);
  EXPECT_LT(refused.error().message.size(), 300u);
}

TEST(SubscriptionRequests, ValuesAreCheckedAndBounded) {
  const auto with = [](const std::string& field) {
    return R"({"subscription":"s",)" + field + "}";
  };
  std::string many_tables = "\"t0\"";
  for (int i = 1; i <= 100; ++i) many_tables += ",\"t" + std::to_string(i) + "\"";
  expect_refused(parse_create,
                 {{"{}", "'subscription' is missing"},
                  {R"({"subscription":7})", "a string of at most 1000 bytes"},
                  {R"({"subscription":"a/b"})", "letters, digits, points"},
                  {R"({"subscription":")" + std::string(1001, 'x') + "\"}", "at most 1000 bytes"},
                  {with(R"("tables":"t")"), "a list of table names"},
                  {with(R"("tables":[1])"), "at most 100 table names"},
                  {with("\"tables\":[" + many_tables + "]"), "at most 100 table names"},
                  {with(R"("shards":0)"), "a whole number from 1 to 64"},
                  {with(R"("shards":65)"), "a whole number from 1 to 64"},
                  {with(R"("shards":1.5)"), "a whole number from 1 to 64"},
                  {with(R"("shards":9999999999999999999)"), "a whole number from 1 to 64"},
                  {with(R"("from":"yesterday")"), "'from': 'yesterday' is no place to begin"},
                  {with(R"("from":-1)"), "'from'"},
                  {with(R"("filter":"{}")"), "an event pattern"},
                  {with(R"("filter":{"eventName":"INSERT"})"), "must stand in a list"}});
  expect_refused(parse_reset, {{with(R"("from":"latest","shards":3)"), "'shards' is not known"},
                               {R"({"subscription":"s"})", "'from' is missing"}});
  expect_refused(parse_join,
                 {{with("\"member\":\"" + std::string(201, 'x') + "\""), "at most 200 bytes"},
                  {with(R"("timeout_ms":-1)"), "a whole number from 0"}});
  const auto in_session = [&](const std::string& field) {
    return with(R"("session":"x",)" + field);
  };
  expect_refused(parse_poll, {{R"({"subscription":"s"})", "'session' is missing"},
                              {in_session(R"("wait_ms":20001)"), "0 to 20000"},
                              {in_session(R"("records":0)"), "1 to 1000"},
                              {in_session(R"("records":1001)"), "1 to 1000"},
                              {in_session(R"("bytes":1048577)"), "1 to 1048576"},
                              {in_session(R"("received":-1)"), "a whole number from 0"}});
  std::string many = "{}";
  for (int i = 0; i < 64; ++i) many += ",{}";
  expect_refused(parse_acknowledge,
                 {{in_session(R"("acknowledged":{})"), "a list of {shard, epoch, lsn}"},
                  {in_session(R"("acknowledged":[7])"), "at most 64"},
                  {in_session("\"acknowledged\":[" + many + "]"), "at most 64"},
                  {in_session(R"("acknowledged":[{"shard":-1}])"), "'shard' must be"},
                  {in_session(R"("acknowledged":[{"shard":4294967296}])"), "'shard' must be"},
                  {in_session(R"("acknowledged":[{"lsn":9223372036854775808}])"), "'lsn' must be"},
                  {in_session(R"("acknowledged":[{"shrad":1}])"), "did you mean 'shard'?"}});
}

}  // namespace
}  // namespace millrace::sidecar
