#include "tests/core/expr/requests.h"

namespace millrace {
namespace {

using testing::parse_bindings;

KeySchema schema_of(std::optional<ValueType> sort) {
  KeySchema schema;
  schema.partition.name = "pk";
  if (sort) {
    schema.sort.emplace().name = "sk";
    schema.sort->type = *sort;
  }
  return schema;
}

Result<KeyCondition> parse(std::string_view text, const KeySchema& schema) {
  static const std::string long_text(2049, 'x');
  Bindings bindings;
  EXPECT_TRUE(
      parse_bindings(
          R"({"#pk":"pk"})",
          R"({":p":{"S":"part"},":a":{"S":"abc"},":z":{"S":"xyz"},":n":{"N":"5"},":n9":{"N":"9"},)"
          R"(":empty":{"S":""},":ff":{"B":"//8="},":t":{"BOOL":true},":long":{"S":")" +
              long_text + "\"}}",
          bindings)
          .has_value());
  return KeyCondition::parse(text, schema, bindings);
}

std::string error_of(std::string_view text, std::optional<ValueType> sort = ValueType::kString) {
  Result<KeyCondition> key = parse(text, schema_of(sort));
  return key ? "parsed" : key.error().message;
}

// "begin|end", or "begin|*" without an upper bound.
std::string range(std::string_view text, std::optional<ValueType> sort = ValueType::kString) {
  Result<KeyCondition> key = parse(text, schema_of(sort));
  if (!key) return key.error().message;
  EXPECT_EQ(key->partition_scalar, "part");
  EXPECT_FALSE(key->empty);
  EXPECT_EQ(key->sort_unbounded, key->sort_end.empty());
  return key->sort_begin + "|" + (key->sort_unbounded ? "*" : key->sort_end);
}

TEST(KeyCondition, IsARangeOfOnePartition) {
  const std::string nul(1, '\0');
  EXPECT_EQ(range("pk = :p", std::nullopt), "|*");
  EXPECT_EQ(range("#pk = :p"), "|*");
  EXPECT_EQ(range("(:p = pk)"), "|*");
  EXPECT_EQ(range("pk = :p AND sk = :a"), "abc|abc" + nul);
  EXPECT_EQ(range("sk = :a AND pk = :p"), "abc|abc" + nul);
  EXPECT_EQ(range("pk = :p AND sk < :a"), "|abc");
  EXPECT_EQ(range("pk = :p AND sk <= :a"), "|abc" + nul);
  EXPECT_EQ(range("pk = :p AND sk > :a"), "abc" + nul + "|*");
  EXPECT_EQ(range("pk = :p AND (sk >= :a)"), "abc|*");
  EXPECT_EQ(range("pk = :p AND :a < sk"), "abc" + nul + "|*");
  EXPECT_EQ(range("pk = :p AND :a >= sk"), "|abc" + nul);
  EXPECT_EQ(range("pk = :p AND sk BETWEEN :a AND :z"), "abc|xyz" + nul);
  EXPECT_EQ(range("pk = :p AND sk BETWEEN :a AND :a"), "abc|abc" + nul);
  EXPECT_EQ(range("pk = :p AND begins_with(sk, :a)"), "abc|abd");
  EXPECT_EQ(range("pk = :p AND begins_with(sk, :ff)", ValueType::kBinary), "\xff\xff|*");
}

TEST(KeyCondition, RangesCoverExactlyTheKeysThatMatch) {
  auto ordered = [](int n) {
    std::string out;
    Number::parse(std::to_string(n)).value().append_ordered(out);
    return out;
  };
  struct Case {
    const char* text;
    bool (*matches)(int);
  };
  for (const Case& c : std::initializer_list<Case>{
           {"pk = :p AND sk = :n", [](int n) { return n == 5; }},
           {"pk = :p AND sk < :n", [](int n) { return n < 5; }},
           {"pk = :p AND sk <= :n", [](int n) { return n <= 5; }},
           {"pk = :p AND sk > :n", [](int n) { return n > 5; }},
           {"pk = :p AND sk >= :n", [](int n) { return n >= 5; }},
           {"pk = :p AND sk BETWEEN :n AND :n9", [](int n) { return n >= 5 && n <= 9; }},
       }) {
    const KeyCondition key = parse(c.text, schema_of(ValueType::kNumber)).value();
    for (int n = -1200; n < 1200; ++n) {
      const std::string bytes = ordered(n);
      const bool inside = bytes >= key.sort_begin && (key.sort_unbounded || bytes < key.sort_end);
      ASSERT_EQ(inside, c.matches(n)) << c.text << " with " << n;
    }
  }
}

TEST(KeyCondition, RefusesWhatIsNoKeyCondition) {
  const std::string bad = "Invalid operator used in KeyConditionExpression: ";
  const std::string condition = "Invalid condition in KeyConditionExpression: ";
  const std::pair<const char*, std::string> cases[] = {
      {"pk = :p OR sk = :a", bad + "OR"},
      {"NOT pk = :p", bad + "NOT"},
      {"pk IN (:p)", bad + "IN"},
      {"pk <> :p", bad + "<>"},
      {"attribute_exists(pk)", bad + "attribute_exists"},
      {"pk = :p AND contains(sk, :a)", bad + "contains"},
      {"size(pk) = :n", "KeyConditionExpressions cannot contain nested operations"},
      {"pk = sk", condition + "Multiple attribute names used in one condition"},
      {":p = :a", condition + "No key attribute specified"},
      {"pk.x = :p", "KeyConditionExpressions cannot have conditions on nested attributes"},
      {"pk = :p AND sk > :a AND sk < :z",
       "KeyConditionExpressions must only contain one condition per key"},
      {"pk = :p AND sk = :a AND x = :a", "Conditions can be of length 1 or 2 only"},
      {"pk = :p AND :a BETWEEN sk AND :z",
       condition + "BETWEEN operator must have the key attribute as its first operand"},
      {"begins_with(:p, pk)",
       condition + "begins_with operator must have the key attribute as its first operand"},
      {"sk = :a", "Query condition missed key schema element: pk"},
      {"elsewhere = :p", "Query condition missed key schema element: pk"},
      {"pk = :p AND elsewhere = :a", "Query condition missed key schema element: sk"},
      {"pk > :p", "Query key condition not supported"},
      {"begins_with(pk, :p) AND sk = :a", "Query key condition not supported"},
      {"pk = :n",
       "One or more parameter values were invalid: Condition parameter type does not match schema "
       "type"},
      {"pk = :p AND sk = :n",
       "One or more parameter values were invalid: Condition parameter type does not match schema "
       "type"},
      {"pk = :empty",
       "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
       "contain an empty string "
       "value. Key: pk"},
      {"pk = :long",
       "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size "
       "limit of2048 bytes"},
      {"pk = :p AND sk = :long",
       "One or more parameter values were invalid: Aggregated size of all range keys has exceeded "
       "the size limit of 1024 "
       "bytes"},
      {"pk = :p AND sk BETWEEN :z AND :a",
       "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater "
       "than or equal to lower "
       "bound; lower bound operand: AttributeValue: {S:xyz}, upper bound operand: AttributeValue: "
       "{S:abc}"},
      {"pk = :p AND begins_with(sk, :n)",
       "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator "
       "or function: begins_with, "
       "operand type: N"},
      {"", "Invalid KeyConditionExpression: The expression can not be empty;"},
      {"pk = ", R"(Invalid KeyConditionExpression: Syntax error; token: "<EOF>", near: "= ")"},
  };
  for (const auto& [text, error] : cases) EXPECT_EQ(error_of(text), error) << text;
  EXPECT_EQ(error_of("pk = :p AND sk = :a", std::nullopt), "Query key condition not supported");
}

}  // namespace
}  // namespace millrace
