#include <set>

#include "tests/core/expr/requests.h"

namespace millrace {
namespace {

using testing::item_of;
using testing::parse_bindings;

constexpr const char* kItem = R"({
  "pk":{"S":"user#1"}, "n":{"N":"10"}, "neg":{"N":"-2.5"}, "s":{"S":"hello"}, "b":{"B":"aGVsbG8="},
  "t":{"BOOL":true}, "nothing":{"NULL":true}, "emoji":{"S":"é😀"},
  "l":{"L":[{"S":"x"},{"N":"1"},{"M":{"deep":{"L":[{"S":"end"}]}}}]},
  "m":{"M":{"k":{"S":"v"},"with.dot":{"S":"dotted"}}},
  "ss":{"SS":["a","b"]}, "ns":{"NS":["1","2.5"]}, "bs":{"BS":["AQ=="]}
})";

constexpr const char* kValues = R"({
  ":n":{"N":"10"}, ":n9":{"N":"9"}, ":n11":{"N":"11.0"}, ":s":{"S":"hello"}, ":he":{"S":"he"},
  ":l":{"S":"l"}, ":z":{"S":"z"}, ":b":{"B":"aGVsbG8="}, ":bhe":{"B":"aGU="}, ":t":{"BOOL":true},
  ":x":{"S":"x"}, ":a":{"S":"a"}, ":one":{"N":"1"}, ":two":{"N":"2"}, ":three":{"N":"3"}, ":null":{"NULL":true},
  ":bin1":{"B":"AQ=="}, ":ss":{"SS":["b","a"]}, ":list":{"L":[]}, ":map":{"M":{"deep":{"L":[{"S":"end"}]}}},
  ":S":{"S":"S"}, ":N":{"S":"N"}, ":BOOL":{"S":"BOOL"}, ":NULL":{"S":"NULL"}, ":M":{"S":"M"}, ":L":{"S":"L"}, ":SS":{"S":"SS"},
  ":bad":{"S":"STRING"}, ":five":{"N":"5"}, ":end":{"S":"end"}, ":dotted":{"S":"dotted"}, ":empty":{"S":""}
})";

constexpr const char* kNames =
    R"({"#n":"n","#dot":"with.dot","#size":"size","#m":"m","#absent":"absent"})";

Result<Condition> parse(std::string_view text, std::string_view kind = "ConditionExpression") {
  Bindings bindings;
  EXPECT_TRUE(parse_bindings(kNames, kValues, bindings).has_value());
  return Condition::parse(text, kind, bindings);
}

bool holds(std::string_view text) {
  Result<Condition> condition = parse(text);
  EXPECT_TRUE(condition.has_value()) << text << ": " << condition.error().message;
  const std::string item = item_of(kItem);
  return condition && condition->evaluate(ItemView(item));
}

std::string error_of(std::string_view text, std::string_view kind = "ConditionExpression") {
  Result<Condition> condition = parse(text, kind);
  if (condition) return "parsed";
  EXPECT_EQ(condition.error().code, ErrorCode::kValidation);
  const std::string prefix = "Invalid " + std::string(kind) + ": ";
  const std::string& message = condition.error().message;
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

TEST(Condition, WhatHolds) {
  for (const char* text : {
           "n = :n",
           "#n = :n",
           "n >= :n",
           "n <= :n",
           "n > :n9",
           "n < :n11",
           "n <> :n9",
           ":n = n",
           "s = :s",
           "s > :he",
           "s < :z",
           "b = :b",
           "t = :t",
           "nothing = :null",
           "ss = :ss",
           "n <> :s",
           "absent <> :s",
           "absent <> elsewhere",
           "n BETWEEN :n9 AND :n11",
           "n between :n and :n",
           ":n BETWEEN n AND :n11",
           "n IN (:n9, :n)",
           "n in (:s, :n11, n11, :n)",
           "s IN (:s)",
           "attribute_exists(n)",
           "attribute_exists(m.k)",
           "attribute_exists(l[2].deep[0])",
           "attribute_exists (nothing)",
           "attribute_not_exists(absent)",
           "attribute_not_exists(l[3])",
           "attribute_not_exists(n.k)",
           "attribute_not_exists(m[0])",
           "attribute_not_exists(s[0])",
           "attribute_type(s, :S)",
           "attribute_type(:s, :S)",
           "attribute_type(n, :N)",
           "attribute_type(t, :BOOL)",
           "attribute_type(nothing, :NULL)",
           "attribute_type(m, :M)",
           "attribute_type(l, :L)",
           "attribute_type(ss, :SS)",
           "begins_with(s, :he)",
           "begins_with(b, :bhe)",
           "begins_with(s, :s)",
           "begins_with(s, :empty)",
           "contains(s, :l)",
           "contains(s, :empty)",
           "contains(b, :bhe)",
           "contains(l, :x)",
           "contains(l, :one)",
           "contains(l, :map)",
           "contains(ss, :a)",
           "contains(ns, :one)",
           "contains(bs, :bin1)",
           "contains(:s, :he)",
           "size(s) = :five",
           "size(l) = :three",
           "size(m) = :two",
           "size(ss) = :two",
           "size(b) = :five",
           "size(emoji) = :three",
           "size(s) < size(pk)",
           ":five = size(s)",
           "size(s) BETWEEN :one AND :n",
           "size(l) IN (:three)",
           "l[2].deep[0] = :end",
           "m.#dot = :dotted",
           "#m.k > :a",
           "l [ 0 ] = :x",
           "m . k > :a",
           "n = :n AND s = :s",
           "n = :n9 OR s = :s",
           "NOT n = :n9",
           "not not n = :n",
           "NOT (n = :n9 OR s = :z)",
           "(n = :n)",
           "(n) = (:n)",
           "((n) = :n)",
           "(size(s)) = :five",
           "( ( ( size ( s )) = :five ) AND ( n > :n9 ) )",
           "n = :n OR s = :z AND s = :z",
           "(n = :n OR s = :z) AND s = :s",
           "NOT n = :n OR s = :s",
           "n BETWEEN :n9 AND :n11 AND s = :s",
           "(n) BETWEEN :n9 AND :n11",
           "(n) IN (:n)",
       }) {
    EXPECT_TRUE(holds(text)) << text;
  }
}

TEST(Condition, WhatDoesNotHold) {
  for (const char* text : {
           "n = :n9",
           "n > :n",
           "n < :n",
           "n <> :n",
           "s = :n",
           "s < :n",
           "s > :n",
           "n >= :s",
           "absent = :n",
           "absent < :n",
           "absent = elsewhere",
           "t = :s",
           "n BETWEEN :s AND :z",
           "absent BETWEEN :n9 AND :n11",
           "n BETWEEN :n11 AND absent",
           "n IN (:s, :n9)",
           "absent IN (:n)",
           "attribute_exists(absent)",
           "attribute_exists(l[9])",
           "attribute_exists(m.x)",
           "attribute_not_exists(n)",
           "attribute_type(s, :N)",
           "attribute_type(absent, :S)",
           "begins_with(s, :l)",
           "begins_with(n, :he)",
           "begins_with(s, :bhe)",
           "begins_with(absent, :he)",
           "begins_with(ss, :a)",
           "contains(s, :z)",
           "contains(ss, :l)",
           "contains(ss, :one)",
           "contains(ns, :a)",
           "contains(n, :one)",
           "contains(m, :x)",
           "contains(absent, :x)",
           "contains(s, absent)",
           "size(n) = :two",
           "size(absent) = :two",
           "size(t) > :one",
           "NOT n = :n",
           "n = :n AND s = :z",
           "n = :n9 OR s = :z",
           "(n = :n OR s = :s) AND s = :z",
           "NOT (n = :n OR s = :z)",
           "NOT attribute_exists(n)",
           "l = :list",
       }) {
    EXPECT_FALSE(holds(text)) << text;
  }
}

TEST(Condition, AnAbsentItemIsEmpty) {
  EXPECT_TRUE(parse("attribute_not_exists(pk)")->evaluate(ItemView()));
  EXPECT_FALSE(parse("attribute_exists(pk)")->evaluate(ItemView()));
  EXPECT_TRUE(parse("pk <> :s")->evaluate(ItemView()));
}

TEST(Condition, OutlivesItsBindings) {
  std::optional<Condition> condition;
  {
    Bindings bindings;
    ASSERT_TRUE(
        parse_bindings("", R"({":v":{"S":"a long enough value to be on the heap"}})", bindings)
            .has_value());
    condition = Condition::parse("a = :v", "ConditionExpression", bindings).value();
  }
  const std::string item = item_of(R"({"a":{"S":"a long enough value to be on the heap"}})");
  EXPECT_TRUE(condition->evaluate(ItemView(item)));
}

TEST(Condition, NamesWhatItReads) {
  const Condition condition =
      parse("m.k = :s AND (size(l[0]) > :one OR #n IN (:n, s)) AND NOT attribute_exists(m)")
          .value();
  EXPECT_THAT(condition.attribute_names(), ::testing::ElementsAre("l", "m", "n", "s"));
  EXPECT_EQ(condition.paths().size(), 5u);
}

TEST(Condition, SyntaxErrorsNameTheTokenAndItsNeighbours) {
  const std::pair<const char*, const char*> cases[] = {
      {"foo", R"x(token: "<EOF>", near: "foo")x"},
      {"a = ", R"x(token: "<EOF>", near: "= ")x"},
      {"attribute_not_exists(", R"x(token: "<EOF>", near: "(")x"},
      {"a = = :v", R"x(token: "=", near: "= = :v")x"},
      {"_hidden = :v", R"x(token: "_", near: "_hidden")x"},
      {"a = :v AND _b = :v", R"x(token: "_", near: "AND _b")x"},
      {"a attribute_not_exists :v",
       R"x(token: "attribute_not_exists", near: "a attribute_not_exists :v")x"},
      {"attribute_type()", R"x(token: ")", near: "()")x"},
      {"tenantAgent:abc123-x", R"x(token: ":abc123", near: "tenantAgent:abc123-")x"},
      {"a = ([1])", R"x(token: "[", near: "([1")x"},
      {"#n[-1] = :v", R"x(token: "-", near: "[-1")x"},
      {"#n[abc].x = :v", R"x(token: "abc", near: "[abc]")x"},
      {"contains (s, :x", R"x(token: "<EOF>", near: ":x")x"},
      {"NOT (t)", R"x(token: "<EOF>", near: ")")x"},
      {"a = :v b = :v", R"x(token: "b", near: ":v b =")x"},
      {"a = :v)", R"x(token: ")", near: ":v)")x"},
      {"(a = :v", R"x(token: "<EOF>", near: ":v")x"},
      {"a.é = :v", R"x(token: "é", near: ".é =")x"},
      {"a = :", R"x(token: ":", near: "= :")x"},
      {"set = :v", R"x(token: "set", near: "set =")x"},
      {"a IN :v", R"x(token: ":v", near: "IN :v")x"},
      {"a IN ()", R"x(token: ")", near: "()")x"},
      {"a BETWEEN :x OR :y", R"x(token: "OR", near: ":x OR :y")x"},
      {"a[01] = :v", R"x(token: "1", near: "01]")x"},
      {"(n = :n) + :n", R"x(token: "+", near: ") + :n")x"},
  };
  for (const auto& [text, error] : cases) {
    EXPECT_EQ(error_of(text), std::string("Syntax error; ") + error) << text;
  }
}

TEST(Condition, RedundantParenthesesAreRefused) {
  for (const char* text : {"((n = :n))", "n = ((:n))", "((n)) = :n", "n = :n AND ((s = :s))",
                           "NOT ((n = :n))", "attribute_exists(((n)))", "((n = :n)) foo"}) {
    EXPECT_EQ(error_of(text), "The expression has redundant parentheses;") << text;
  }
}

TEST(Condition, TextsHaveLimits) {
  EXPECT_EQ(error_of(""), "The expression can not be empty;");
  EXPECT_EQ(error_of("", "FilterExpression"), "The expression can not be empty;");
  EXPECT_EQ(error_of("n = :n" + std::string(4090, ' ')), "parsed");
  EXPECT_EQ(error_of("n = :n" + std::string(4091, ' ')),
            "Expression size has exceeded the maximum allowed size; expression size: 4097");
  std::string chain = "n=:n";
  for (int i = 1; i < 150; ++i) chain += " OR n=:n";
  EXPECT_EQ(error_of(chain), "parsed") << "299 operators";
  EXPECT_EQ(error_of(chain + " OR NOT n=:n"),
            "The expression contains too many operators; operator count: 301");
  std::string list = "n IN (:n";
  for (int i = 1; i < 100; ++i) list += ",:n";
  EXPECT_EQ(error_of(list + ")"), "parsed");
  EXPECT_EQ(error_of(list + ",:n)"),
            "The IN operator is provided with too many operands; number of operands: 101");
}

TEST(Condition, NestingIsBounded) {
  std::string nots;
  for (int i = 0; i < 290; ++i) nots += "NOT (";
  EXPECT_EQ(error_of(nots + "n=:n" + std::string(290, ')')), "parsed");
  for (const char* piece : {"(", "NOT ", "NOT(", "size(", "n=(", "a("}) {
    std::string text;
    while (text.size() + 8 < 4096) text += piece;
    EXPECT_THAT(error_of(text), ::testing::StartsWith("Syntax error; ")) << piece;
  }
  std::string path = "m";
  for (int i = 0; i < 32; ++i) path += "[0]";
  EXPECT_EQ(error_of("attribute_exists(" + path + ")"),
            "The document path has too many nesting levels; nesting levels: 33");
}

TEST(Condition, NamesAndValuesMustBeDefined) {
  EXPECT_EQ(error_of("#undefined = :n"),
            "An expression attribute name used in the document path is not defined; attribute "
            "name: #undefined");
  EXPECT_EQ(error_of("n = :undefined"),
            "An expression attribute value used in expression is not defined; attribute value: "
            ":undefined");
}

TEST(Condition, ReservedWordsNeedAnAlias) {
  EXPECT_EQ(error_of("size = :n"), "Attribute name is a reserved keyword; reserved keyword: size");
  EXPECT_EQ(error_of("m.Status = :n"),
            "Attribute name is a reserved keyword; reserved keyword: Status");
  EXPECT_EQ(error_of("LOCALTIMESTAMP = :n"),
            "Attribute name is a reserved keyword; reserved keyword: LOCALTIMESTAMP");
  EXPECT_EQ(error_of("statuses = :n"), "parsed");
  EXPECT_EQ(error_of("#size = :n"), "parsed");
  EXPECT_EQ(error_of("name = :undefined"),
            "Attribute name is a reserved keyword; reserved keyword: name")
      << "before undefined values";
}

TEST(Condition, FunctionsHaveTheirPlaceAndOperands) {
  const std::string misplaced =
      "The function is not allowed to be used this way in an expression; function: ";
  const std::string count =
      "Incorrect number of operands for operator or function; operator or function: ";
  const std::pair<const char*, std::string> cases[] = {
      {"unknown(n)", "Invalid function name; function: unknown"},
      {"SIZE(n) = :n", "Invalid function name; function: SIZE"},
      {"if_not_exists(n, :n) = :n",
       "The function is not allowed in a condition expression; function: if_not_exists"},
      {"list_append(l, :list) = :n",
       "The function is not allowed in a condition expression; function: list_append"},
      {"size(n)", misplaced + "size"},
      {"NOT size(n)", misplaced + "size"},
      {"size(n) AND n = :n", misplaced + "size"},
      {"contains(s, :he) = :t", misplaced + "contains"},
      {"size(contains(s, :he)) > :n", misplaced + "contains"},
      {"attribute_exists(attribute_exists(n))", misplaced + "attribute_exists"},
      {"contains(s)", count + "contains, number of operands: 1"},
      {"begins_with(s, :he, :he)", count + "begins_with, number of operands: 3"},
      {"size(n, s) > :n", count + "size, number of operands: 2"},
      {"attribute_exists(n, s)", count + "attribute_exists, number of operands: 2"},
      {"contains(s) OR unknown(n)", "Invalid function name; function: unknown"},
      {"attribute_exists(n, name)", "Attribute name is a reserved keyword; reserved keyword: name"},
      {"attribute_exists(n, :undefined)",
       "An expression attribute value used in expression is not defined; attribute value: "
       ":undefined"},
      {"attribute_exists(:n)",
       "Operator or function requires a document path; operator or function: attribute_exists"},
      {"contains(s, s)",
       "The first operand must be distinct from the remaining operands for this operator or "
       "function; operator: contains, "
       "first operand: [s]"},
      {"m.k = #m.k",
       "The first operand must be distinct from the remaining operands for this operator or "
       "function; operator: =, first "
       "operand: [m, k]"},
      {"l[0] IN (:n, l[0])",
       "The first operand must be distinct from the remaining operands for this operator or "
       "function; operator: IN, first "
       "operand: [l, [0]]"},
      {"a[2147483648] = :n", "List index is not within the allowable range; index: [2147483648]"},
      {"a[99999999999999999999] = :n",
       "List index is not within the allowable range; index: [99999999999999999999]"},
  };
  for (const auto& [text, error] : cases) EXPECT_EQ(error_of(text), error) << text;
}

TEST(Condition, ValuesMustHaveTypesThatCanMatch) {
  const std::string wrong =
      "Incorrect operand type for operator or function; operator or function: ";
  const std::pair<const char*, std::string> cases[] = {
      {"n < :t", wrong + "<, operand type: BOOL"},
      {"n >= :ss", wrong + ">=, operand type: SS"},
      {":map > n", wrong + ">, operand type: M"},
      {"n = :map", "parsed"},
      {"n BETWEEN :t AND :n", wrong + "BETWEEN, operand type: BOOL"},
      {"n BETWEEN :n AND :s",
       "The BETWEEN operator requires same data type for lower and upper bounds; lower bound "
       "operand: AttributeValue: {N:10}, "
       "upper bound operand: AttributeValue: {S:hello}"},
      {"n BETWEEN :n AND :n9",
       "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
       "lower bound operand: "
       "AttributeValue: {N:10}, upper bound operand: AttributeValue: {N:9}"},
      {"s BETWEEN :z AND :a",
       "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
       "lower bound operand: "
       "AttributeValue: {S:z}, upper bound operand: AttributeValue: {S:a}"},
      {"begins_with(s, :n)", wrong + "begins_with, operand type: N"},
      {"begins_with(s, :list)", wrong + "begins_with, operand type: L"},
      {"size(:n) = :n", wrong + "size, operand type: N"},
      {"size(:t) = :n", wrong + "size, operand type: BOOL"},
      {"size(size(s)) = :n", wrong + "size, operand type: N"},
      {"attribute_type(s, :n)", wrong + "attribute_type, operand type: N"},
      {"attribute_type(s, n)",
       wrong + "attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}"},
      {"attribute_type(s, :bad)",
       "Invalid attribute type name found; type: STRING, valid types: "
       "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"},
  };
  for (const auto& [text, error] : cases) EXPECT_EQ(error_of(text), error) << text;
}

TEST(Bindings, NamesAreChecked) {
  auto error = [](std::string_view names) {
    Bindings bindings;
    Status status = parse_bindings(names, "", bindings);
    return status ? "parsed" : status.error().message;
  };
  EXPECT_EQ(error(R"({"#a":"x"})"), "parsed");
  EXPECT_EQ(error(R"({"#0_Z":"any thing"})"), "parsed");
  EXPECT_EQ(error(R"({})"), "ExpressionAttributeNames must not be empty");
  for (const char* key : {"a", "#", "", ":a", "#a-b", "#a b", "##"}) {
    EXPECT_EQ(error("{\"" + std::string(key) + "\":\"x\"}"),
              "ExpressionAttributeNames contains invalid key: Syntax error; key: \"" +
                  std::string(key) + "\"");
  }
  EXPECT_THAT(error("{\"#" + std::string(255, 'a') + "\":\"x\"}"),
              ::testing::HasSubstr("too long; size of key: 256"));
  EXPECT_THAT(error(R"({"#a":""})"),
              ::testing::HasSubstr("ExpressionAttributeNames contains invalid value"));
  Bindings bindings;
  EXPECT_EQ(parse_bindings(R"({"#a":1})", "", bindings).error().code, ErrorCode::kSerialization);
}

TEST(Bindings, ValuesAreChecked) {
  auto error = [](std::string_view values) {
    Bindings bindings;
    Status status = parse_bindings("", values, bindings);
    return status ? "parsed" : status.error().message;
  };
  const std::string invalid = "ExpressionAttributeValues contains invalid value: ";
  EXPECT_EQ(error(R"({":a":{"S":""}})"), "parsed");
  EXPECT_EQ(error(R"({})"), "ExpressionAttributeValues must not be empty");
  EXPECT_EQ(error(R"({"a":{"S":"x"}})"),
            "ExpressionAttributeValues contains invalid key: Syntax error; key: \"a\"");
  EXPECT_EQ(error(R"({":a":{"N":"x"}})"),
            invalid + "The parameter cannot be converted to a numeric value: x for key :a");
  EXPECT_EQ(
      error(R"({":a":{"SS":[]}})"),
      invalid +
          "One or more parameter values were invalid: An string set  may not be empty for key :a");
  EXPECT_EQ(error(R"({":a":{}})"), invalid +
                                       "Supplied AttributeValue is empty, must contain exactly one "
                                       "of the supported datatypes for key :a");
  EXPECT_EQ(error(R"({":a":{"N":"x"},"b":{"S":""}})"),
            "ExpressionAttributeValues contains invalid key: Syntax error; key: \"b\"")
      << "keys before values";
  std::string deep = R"({"NULL":true})";
  for (int i = 0; i < 32; ++i) deep = "{\"L\":[" + deep + "]}";
  EXPECT_EQ(error("{\":a\":" + deep + "}"),
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested "
            "levels beyond supported "
            "limit");
}

TEST(Bindings, WhatIsNotUsedIsRefused) {
  Bindings bindings;
  ASSERT_TRUE(parse_bindings(R"({"#a":"a","#b":"b","#c":"c"})", R"({":x":{"S":""},":y":{"S":""}})",
                             bindings)
                  .has_value());
  EXPECT_TRUE(bindings.has_names());
  EXPECT_TRUE(bindings.has_values());
  ASSERT_TRUE(Condition::parse("#a = :x", "ConditionExpression", bindings).has_value());
  EXPECT_EQ(bindings.check_all_used().error().message,
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b, #c}");
  ASSERT_TRUE(Projection::parse("#b, #c", bindings).has_value());
  EXPECT_EQ(bindings.check_all_used().error().message,
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:y}");
  ASSERT_TRUE(Update::parse("SET d = :y", bindings).has_value());
  EXPECT_TRUE(bindings.check_all_used().has_value());
}

std::string key_of(std::string_view text) {
  Result<Condition> condition = parse(text);
  EXPECT_TRUE(condition.has_value()) << text << ": " << condition.error().message;
  std::string key;
  if (condition) condition->append_key(key);
  return key;
}

TEST(Condition, KeysAreEqualForOneMeaning) {
  EXPECT_EQ(key_of("n = :n"), key_of(" ( #n=:n ) "));
  EXPECT_EQ(key_of("m.k = :s AND n < :n"), key_of("(#m.k = :s) and (#n < :n)"));
}

TEST(Condition, KeysDifferForDifferentMeanings) {
  std::set<std::string> keys;
  for (const char* text : {
           "n = :n",
           "n = :s",
           "s = :n",
           "n <> :n",
           ":n = n",
           "n < :n",
           "n <= :n",
           "NOT n = :n",
           "n = :n AND s = :s",
           "n = :n OR s = :s",
           "n = :n AND s = :s AND t = :t",
           "n = :n AND s = :s OR t = :t",
           "n = :n AND (s = :s OR t = :t)",
           "n BETWEEN :n9 AND :n11",
           "n BETWEEN :n9 AND :n",
           "n IN (:n9)",
           "n IN (:n9, :n11)",
           "n IN (:n11, :n9)",
           "attribute_exists(n)",
           "attribute_not_exists(n)",
           "attribute_exists(m.n)",
           "attribute_exists(l[1])",
           "attribute_exists(l[2])",
           "attribute_exists(l[1].n)",
           "attribute_exists(#dot)",
           "attribute_type(n, :N)",
           "attribute_type(n, :S)",
           "begins_with(s, :he)",
           "contains(s, :he)",
           "size(s) = :n",
           "size(s) = size(n)",
       }) {
    EXPECT_TRUE(keys.insert(key_of(text)).second) << text;
  }
}

}  // namespace
}  // namespace millrace
