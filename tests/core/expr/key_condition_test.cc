#include "core/expr/key_condition.h"

#include "tests/core/expr/requests.h"

namespace millrace {
namespace {

using testing::parse_bindings;

IndexKeySchema key_of(std::optional<ValueType> sort) {
  IndexKeySchema key{{{"pk", ValueType::kString}}, {}};
  if (sort) key.sort.push_back({"sk", *sort});
  return key;
}

// Two partition and three sort attributes.
const IndexKeySchema kWide{
    {{"p1", ValueType::kString}, {"p2", ValueType::kNumber}},
    {{"s1", ValueType::kString}, {"s2", ValueType::kNumber}, {"s3", ValueType::kString}}};

Result<KeyCondition> parse(std::string_view text, const IndexKeySchema& key,
                           const KeyCondition::AttributeCheck& first_check = {}) {
  static const std::string long_text(2049, 'x');
  static const std::string half_text(600, 'y');
  Bindings bindings;
  EXPECT_TRUE(
      parse_bindings(
          R"({"#pk":"pk"})",
          R"({":p":{"S":"part"},":a":{"S":"abc"},":z":{"S":"xyz"},":n":{"N":"5"},":n9":{"N":"9"},)"
          R"(":empty":{"S":""},":ff":{"B":"//8="},":t":{"BOOL":true},":half":{"S":")" +
              half_text + R"("},":long":{"S":")" + long_text + "\"}}",
          bindings)
          .has_value());
  ASSIGN_OR_RETURN(const auto condition, parse_key_condition(text, bindings));
  ASSIGN_OR_RETURN(const std::vector<KeyTerm> terms, key_terms(*condition));
  return KeyCondition::of(terms, key, first_check);
}

std::string ordered(int n) {
  std::string out;
  Number::parse(std::to_string(n)).value().append_ordered(out);
  return out;
}

std::string error_of(std::string_view text, const IndexKeySchema& key) {
  Result<KeyCondition> condition = parse(text, key);
  return condition ? "parsed" : condition.error().message;
}
std::string error_of(std::string_view text, std::optional<ValueType> sort = ValueType::kString) {
  return error_of(text, key_of(sort));
}

// "part/ =abc" with "=" for each sort attribute that must be equal, then the range of the next:
// "[abc", "(abc", "abc]", "abc)", "abc*".
std::string shown(const Result<KeyCondition>& condition) {
  if (!condition) return condition.error().message;
  std::string text;
  auto add = [&](std::string_view scalar) {
    static const std::string five = ordered(5), nine = ordered(9);
    text += scalar == five ? "5" : scalar == nine ? "9" : std::string(scalar);
  };
  for (const std::string& scalar : condition->partition) {
    add(scalar);
    text += '/';
  }
  for (const std::string& scalar : condition->sort_equal) {
    text += " =";
    add(scalar);
  }
  if (condition->lower) {
    text += condition->lower->included ? " [" : " (";
    add(condition->lower->scalar);
  }
  if (condition->upper) {
    text += ' ';
    add(condition->upper->scalar);
    text += condition->upper->included ? "]" : ")";
  }
  if (condition->prefix) {
    text += ' ';
    add(*condition->prefix);
    text += '*';
  }
  EXPECT_EQ(condition->restricts_sort(), text.back() != '/') << text;
  return text;
}
std::string range(std::string_view text, std::optional<ValueType> sort = ValueType::kString) {
  return shown(parse(text, key_of(sort)));
}
std::string wide(std::string_view text) { return shown(parse(text, kWide)); }

TEST(KeyCondition, IsARangeOfOnePartition) {
  EXPECT_EQ(range("pk = :p", std::nullopt), "part/");
  EXPECT_EQ(range("#pk = :p"), "part/");
  EXPECT_EQ(range("(:p = pk)"), "part/");
  EXPECT_EQ(range("pk = :p AND sk = :a"), "part/ =abc");
  EXPECT_EQ(range("sk = :a AND pk = :p"), "part/ =abc");
  EXPECT_EQ(range("pk = :p AND sk < :a"), "part/ abc)");
  EXPECT_EQ(range("pk = :p AND sk <= :a"), "part/ abc]");
  EXPECT_EQ(range("pk = :p AND sk > :a"), "part/ (abc");
  EXPECT_EQ(range("pk = :p AND (sk >= :a)"), "part/ [abc");
  EXPECT_EQ(range("pk = :p AND :a < sk"), "part/ (abc");
  EXPECT_EQ(range("pk = :p AND :a >= sk"), "part/ abc]");
  EXPECT_EQ(range("pk = :p AND sk BETWEEN :a AND :z"), "part/ [abc xyz]");
  EXPECT_EQ(range("pk = :p AND sk BETWEEN :a AND :a"), "part/ [abc abc]");
  EXPECT_EQ(range("pk = :p AND begins_with(sk, :a)"), "part/ abc*");
  EXPECT_EQ(range("pk = :p AND begins_with(sk, :ff)", ValueType::kBinary), "part/ \xff\xff*");
  EXPECT_EQ(range("pk = :p AND sk > :n", ValueType::kNumber), "part/ (5");
}

TEST(KeyCondition, OfManyAttributesTakesALeftPrefixOfTheSortAttributes) {
  EXPECT_EQ(wide("p1 = :p AND p2 = :n"), "part/5/");
  EXPECT_EQ(wide("p2 = :n AND p1 = :p"), "part/5/");
  EXPECT_EQ(wide("p1 = :p AND p2 = :n AND s1 = :a"), "part/5/ =abc");
  EXPECT_EQ(wide("p1 = :p AND p2 = :n AND begins_with(s1, :a)"), "part/5/ abc*");
  EXPECT_EQ(wide("s2 < :n9 AND p1 = :p AND s1 = :a AND p2 = :n"), "part/5/ =abc 9)");
  EXPECT_EQ(wide("p1 = :p AND p2 = :n AND s1 = :a AND s2 = :n AND s3 BETWEEN :a AND :z"),
            "part/5/ =abc =5 [abc xyz]");
  EXPECT_EQ(wide("p1 = :p AND p2 = :n AND s1 = :a AND s2 = :n AND s3 = :z"),
            "part/5/ =abc =5 =xyz");

  auto no_partition = [](const std::string& unequal) {
    return "HASH key attributes " + unequal +
           " must have equality conditions specified in the query";
  };
  EXPECT_EQ(wide("p1 = :p"), no_partition("p2"));
  EXPECT_EQ(wide("p2 = :n AND s1 = :a"), no_partition("p1"));
  EXPECT_EQ(wide("s1 = :a"), no_partition("p1, p2"));
  EXPECT_EQ(wide("p1 = :p AND p2 > :n"), no_partition("p2"));
  EXPECT_EQ(wide("p1 = :p AND p2 = :n AND x = :a"),
            "Query condition missed key schema element: s1");

  auto no_prefix = [](const std::string& unequal, const std::string& conditioned) {
    return "RANGE key attributes " + unequal +
           " must have equality conditions specified in the query because a condition is present "
           "on key attribute " +
           conditioned;
  };
  EXPECT_EQ(wide("p1 = :p AND p2 = :n AND s2 = :n"), no_prefix("s1", "s2"));
  EXPECT_EQ(wide("p1 = :p AND p2 = :n AND s3 = :a"), no_prefix("s1, s2", "s3"));
  EXPECT_EQ(wide("p1 = :p AND p2 = :n AND s1 = :a AND s3 = :a"), no_prefix("s2", "s3"));
  EXPECT_EQ(wide("p1 = :p AND p2 = :n AND s1 > :a AND s2 = :n"), no_prefix("s1", "s2"));
  EXPECT_EQ(wide("p1 = :p AND p2 = :n AND begins_with(s1, :a) AND s2 > :n"), no_prefix("s1", "s2"));
  EXPECT_EQ(wide("p1 = :p AND p2 = :n AND s1 = :a AND s2 = :n AND s3 = :a AND x = :a"),
            "The number of query conditions (6) exceeds the number of key attributes defined in "
            "the schema (5)");

  const IndexKeySchema texts{{{"p", ValueType::kString}},
                             {{"a", ValueType::kString}, {"b", ValueType::kString}}};
  EXPECT_EQ(error_of("p = :p AND a = :half AND b > :a", texts), "parsed");
  EXPECT_EQ(error_of("p = :p AND a = :half AND b > :half", texts),
            "One or more parameter values were invalid: Aggregated size of all range keys has "
            "exceeded the size limit of 1024 bytes");
}

TEST(KeyCondition, LooksAtEachAttributeBeforeTheTermOnIt) {
  auto stopping_at = [](std::string name) {
    return [name](const KeyAttribute& attribute) -> Status {
      if (attribute.name == name) return validation_error("stopped");
      return {};
    };
  };
  auto error = [](const Result<KeyCondition>& condition) {
    return condition ? "parsed" : condition.error().message;
  };
  EXPECT_EQ(error(parse("p1 = :n", kWide, stopping_at("p1"))), "stopped");
  EXPECT_EQ(error(parse("p1 = :p AND p2 = :n", kWide, stopping_at("s3"))), "stopped");
  EXPECT_EQ(error(parse("p1 = :p AND p2 = :p", kWide, stopping_at("s1"))),
            "One or more parameter values were invalid: Condition parameter type does not match "
            "schema type");
  EXPECT_EQ(error(parse("p1 = :p AND p2 = :n AND s2 = :n", kWide, stopping_at("s3"))),
            "RANGE key attributes s1 must have equality conditions specified in the query because "
            "a condition is present on key attribute s2");
}

TEST(KeyCondition, RefusesTermsThatNoKeyCanAnswer) {
  const std::vector<KeyTerm> terms{
      {"pk", KeyTerm::Operator::kEqual, {Value::string("p").encoded()}},
      {"sk", KeyTerm::Operator::kNotIndexable, {}}};
  Result<KeyCondition> condition = KeyCondition::of(terms, key_of(ValueType::kString));
  ASSERT_FALSE(condition);
  EXPECT_EQ(condition.error().message,
            "Attempted conditional constraint is not an indexable operation");
  EXPECT_FALSE(KeyCondition::of({}, key_of(std::nullopt)));
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
      {"size(pk) = :n",
       "Invalid KeyConditionExpression: KeyConditionExpressions cannot contain nested operations"},
      {"pk = sk", "Invalid KeyConditionExpression: " + condition +
                      "Multiple attribute names used in one condition"},
      {":p = :a", condition + "No key attribute specified"},
      {"pk.x = :p",
       "Invalid KeyConditionExpression: KeyConditionExpressions cannot have conditions on nested "
       "attributes"},
      {"pk = :p AND sk > :a AND sk < :z",
       "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition "
       "per key"},
      {"pk = :p AND sk = :a AND x = :a",
       "The number of query conditions (3) exceeds the number of key attributes defined in the "
       "schema (2)"},
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
  EXPECT_EQ(error_of("pk = :p AND sk = :a", std::nullopt),
            "The number of query conditions (2) exceeds the number of key attributes defined in "
            "the schema (1)");
}

}  // namespace
}  // namespace millrace
