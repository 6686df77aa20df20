#include "tests/core/expr/requests.h"

namespace millrace {
namespace {

using testing::item_of;
using testing::json_of;
using testing::parse_bindings;

constexpr const char* kValues = R"({
  ":n":{"N":"5"}, ":s":{"S":"new"}, ":list":{"L":[{"S":"tail"}]}, ":no":{"L":[]}, ":m":{"M":{"k":{"S":"v"}}},
  ":ss":{"SS":["a","c"]}, ":ab":{"SS":["a","b"]}, ":ns":{"NS":["1"]}, ":t":{"BOOL":true}, ":big":{"N":"9e125"}, ":b":{"B":"AQ=="}, ":z":{"N":"0"}
})";
constexpr const char* kNames = R"({"#n":"n","#name":"name"})";

Result<Update> parse(std::string_view text) {
  Bindings bindings;
  EXPECT_TRUE(parse_bindings(kNames, kValues, bindings).has_value());
  return Update::parse(text, bindings);
}

// The new item, or the error.
std::string applied(std::string_view text, std::string_view item_json) {
  Result<Update> update = parse(text);
  if (!update) return update.error().message;
  const std::string item = item_of(item_json);
  Result<ItemTree> result = update->apply(decode_item(ItemView(item)), true);
  return result ? json_of(encode_item(*result)) : result.error().message;
}

std::string error_of(std::string_view text) {
  Result<Update> update = parse(text);
  if (update) return "parsed";
  constexpr std::string_view kPrefix = "Invalid UpdateExpression: ";
  const std::string& message = update.error().message;
  return message.starts_with(kPrefix) ? message.substr(kPrefix.size()) : message;
}

TEST(Update, Sets) {
  EXPECT_EQ(applied("SET a = :s", "{}"), R"({"a":{"S":"new"}})");
  EXPECT_EQ(applied("set a = :s, #name = :n", R"({"a":{"N":"1"}})"),
            R"({"a":{"S":"new"},"name":{"N":"5"}})");
  EXPECT_EQ(applied("SET a = b, b = a", R"({"a":{"N":"1"},"b":{"N":"2"}})"),
            R"({"a":{"N":"2"},"b":{"N":"1"}})");
  EXPECT_EQ(applied("SET m.k = :s", R"({"m":{"M":{"k":{"N":"1"},"z":{"N":"2"}}}})"),
            R"({"m":{"M":{"k":{"S":"new"},"z":{"N":"2"}}}})");
  EXPECT_EQ(applied("SET m.fresh = :s", R"({"m":{"M":{}}})"),
            R"({"m":{"M":{"fresh":{"S":"new"}}}})");
  EXPECT_EQ(applied("SET l[0] = :s", R"({"l":{"L":[{"N":"1"},{"N":"2"}]}})"),
            R"({"l":{"L":[{"S":"new"},{"N":"2"}]}})");
  EXPECT_EQ(applied("SET l[9] = :n, l[7] = :s", R"({"l":{"L":[{"N":"1"}]}})"),
            R"({"l":{"L":[{"N":"1"},{"S":"new"},{"N":"5"}]}})")
      << "behind the end they append in the order of indexes";
  EXPECT_EQ(applied("SET l[1].x.y = :n", R"({"l":{"L":[{"N":"1"},{"M":{"x":{"M":{}}}}]}})"),
            R"({"l":{"L":[{"N":"1"},{"M":{"x":{"M":{"y":{"N":"5"}}}}}]}})");
}

TEST(Update, OfAnAbsentItemOnlyRemovalsMayNameWhatIsNotThere) {
  auto of_absent = [](std::string_view text) {
    const Result<Update> update = parse(text);
    const Result<ItemTree> result = update->apply({}, false);
    return result ? json_of(encode_item(*result)) : result.error().message;
  };
  const std::string invalid =
      "The document path provided in the update expression is invalid for update";
  EXPECT_EQ(of_absent("REMOVE x.y, z[0]"), "{}");
  EXPECT_EQ(of_absent("SET x.y = :s"), invalid);
  EXPECT_EQ(applied("REMOVE x.y", "{}"), invalid) << "of an item that is there";
}

TEST(Update, Computes) {
  EXPECT_EQ(applied("SET n = n + :n", R"({"n":{"N":"1.5"}})"), R"({"n":{"N":"6.5"}})");
  EXPECT_EQ(applied("SET n = :n - n", R"({"n":{"N":"1.5"}})"), R"({"n":{"N":"3.5"}})");
  EXPECT_EQ(applied("SET n = (n - m), x = (n) + :n", R"({"m":{"N":"1"},"n":{"N":"3"}})"),
            R"({"m":{"N":"1"},"n":{"N":"2"},"x":{"N":"8"}})");
  EXPECT_EQ(applied("SET n = if_not_exists(n, :z) + :n", "{}"), R"({"n":{"N":"5"}})");
  EXPECT_EQ(applied("SET n = if_not_exists(n, :z) + :n", R"({"n":{"N":"2"}})"),
            R"({"n":{"N":"7"}})");
  EXPECT_EQ(applied("SET a = if_not_exists(x.y, if_not_exists(z, :s))", R"({"z":{"N":"1"}})"),
            R"({"a":{"N":"1"},"z":{"N":"1"}})");
  EXPECT_EQ(applied("SET l = list_append(l, :list)", R"({"l":{"L":[{"N":"1"}]}})"),
            R"({"l":{"L":[{"N":"1"},{"S":"tail"}]}})");
  EXPECT_EQ(applied("SET l = list_append(:list, l)", R"({"l":{"L":[{"N":"1"}]}})"),
            R"({"l":{"L":[{"S":"tail"},{"N":"1"}]}})");
  EXPECT_EQ(applied("SET l = list_append(if_not_exists(l, :no), :list)", "{}"),
            R"({"l":{"L":[{"S":"tail"}]}})");
}

TEST(Update, Removes) {
  EXPECT_EQ(applied("REMOVE a, absent", R"({"a":{"N":"1"},"b":{"N":"2"}})"), R"({"b":{"N":"2"}})");
  EXPECT_EQ(applied("REMOVE m.k, m.nowhere", R"({"m":{"M":{"k":{"N":"1"}}}})"),
            R"({"m":{"M":{}}})");
  EXPECT_EQ(applied("REMOVE l[0], l[2], l[9]",
                    R"({"l":{"L":[{"N":"0"},{"N":"1"},{"N":"2"},{"N":"3"}]}})"),
            R"({"l":{"L":[{"N":"1"},{"N":"3"}]}})");
  EXPECT_EQ(applied("REMOVE l[0] SET l[1] = :s", R"({"l":{"L":[{"N":"0"},{"N":"1"}]}})"),
            R"({"l":{"L":[{"S":"new"}]}})")
      << "indexes are the old list's";
  EXPECT_EQ(applied("REMOVE l[0], l[1].x", R"({"l":{"L":[{"N":"0"},{"M":{"x":{"N":"1"}}}]}})"),
            R"({"l":{"L":[{"M":{}}]}})");
  EXPECT_EQ(
      applied("REMOVE l[3] SET l[7] = :s, l[8] = :n, l[9] = :t", R"({"l":{"L":[{"N":"0"}]}})"),
      R"({"l":{"L":[{"N":"0"},{"S":"new"},{"N":"5"},{"BOOL":true}]}})")
      << "what is appended was not there to be removed";
}

TEST(Update, RemovesHundredsOfElementsOfALargeList) {
  Value::List list, rest;
  std::string text = "REMOVE ";
  for (int i = 0; i < 400'000; ++i) {
    list.push_back(Value::string(i % 1000 == 0 ? "gone" : ""));
    if (i % 1000 != 0) rest.push_back(Value::string(""));
    if (i % 1000 == 0) text += (i > 0 ? ",l[" : "l[") + std::to_string(i) + "]";
  }
  const Result<ItemTree> result = parse(text)->apply({{"l", Value::list(std::move(list))}}, true);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(encode_item(*result) == encode_item({{"l", Value::list(std::move(rest))}}));
}

TEST(Update, Adds) {
  EXPECT_EQ(applied("ADD n :n", "{}"), R"({"n":{"N":"5"}})");
  EXPECT_EQ(applied("ADD n :n, m.k :n", R"({"n":{"N":"-6"},"m":{"M":{}}})"),
            R"({"m":{"M":{"k":{"N":"5"}}},"n":{"N":"-1"}})");
  EXPECT_EQ(applied("ADD s :ss", R"({"s":{"SS":["b","c"]}})"), R"({"s":{"SS":["a","b","c"]}})");
  EXPECT_EQ(applied("ADD s :ss", "{}"), R"({"s":{"SS":["a","c"]}})");
}

TEST(Update, Deletes) {
  EXPECT_EQ(applied("DELETE s :ss", R"({"s":{"SS":["a","b","c"]}})"), R"({"s":{"SS":["b"]}})");
  EXPECT_EQ(applied("DELETE s :ss", R"({"s":{"SS":["a","c"]},"x":{"N":"1"}})"),
            R"({"x":{"N":"1"}})")
      << "an empty set goes";
  EXPECT_EQ(applied("DELETE s :ss", R"({"x":{"N":"1"}})"), R"({"x":{"N":"1"}})");
}

TEST(Update, DeletesOneLargeSetFromAnother) {
  std::vector<std::string> old_elements, rest;
  std::string removed = "{\":v\":{\"SS\":[\"\",\"zz\"";
  for (int i = 0; i < 60'000; ++i) {
    const std::string element = std::to_string(100'000 + i);
    if (i % 3 != 0) removed.append(",\"").append(element).append("\"");
    if (i % 5 != 0) old_elements.push_back(element);
    if (i % 3 == 0 && i % 5 != 0) rest.push_back(element);
  }
  Bindings bindings;
  ASSERT_TRUE(parse_bindings("", removed + "]}}", bindings));
  const Result<Update> update = Update::parse("DELETE s :v", bindings);
  const Result<ItemTree> result =
      update->apply({{"s", Value::set(ValueType::kStringSet, old_elements)}}, true);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->at("s").set() == rest);
}

TEST(Update, SeveralDeletesEachTakeTheirOwnSet) {
  EXPECT_EQ(applied("DELETE s :ss, d :ab, e :ss",
                    R"({"s":{"SS":["a","b","c"]},"d":{"SS":["b","c"]},"e":{"SS":["c","d"]}})"),
            R"({"d":{"SS":["c"]},"e":{"SS":["d"]},"s":{"SS":["b"]}})");
}

TEST(Update, SectionsInAnyOrder) {
  EXPECT_EQ(applied("ADD n :n REMOVE r SET s = :s DELETE d :ss",
                    R"({"r":{"N":"1"},"d":{"SS":["c","d"]}})"),
            R"({"d":{"SS":["d"]},"n":{"N":"5"},"s":{"S":"new"}})");
}

TEST(Update, RefusesWhatTheItemDoesNotAllow) {
  const char* type = "An operand in the update expression has an incorrect data type";
  const char* missing =
      "The provided expression refers to an attribute that does not exist in the item";
  const char* path = "The document path provided in the update expression is invalid for update";
  const char* item = R"({"s":{"S":"x"},"n":{"N":"9e125"},"l":{"L":[]},"ss":{"SS":["a"]}})";
  EXPECT_EQ(applied("SET a = absent", item), missing);
  EXPECT_EQ(applied("SET a = l[0]", item), missing);
  EXPECT_EQ(applied("SET a = s + :n", item), type);
  EXPECT_EQ(applied("SET a = absent, b = s + :n", item), type) << "types come first";
  EXPECT_EQ(applied("SET a = list_append(s, :list)", item), type);
  EXPECT_EQ(applied("ADD s :n", item), type);
  EXPECT_EQ(applied("ADD n :ss", item), type);
  EXPECT_EQ(applied("ADD ss :ns", item), type);
  EXPECT_EQ(applied("DELETE ss :ns", item), type);
  EXPECT_EQ(applied("SET absent.k = :s", item), path);
  EXPECT_EQ(applied("SET s.k = :s", item), path);
  EXPECT_EQ(applied("SET l.k = :s", item), path);
  EXPECT_EQ(applied("SET s[0] = :s", item), path);
  EXPECT_EQ(applied("SET l[0].k = :s", item), path);
  EXPECT_EQ(applied("REMOVE absent.k", item), path);
  EXPECT_EQ(applied("REMOVE s.k", item), path);
  EXPECT_EQ(applied("ADD absent.k :n", item), path);
  for (const char* expression : {"ADD n :big", "SET n = n + :n"}) {
    EXPECT_EQ(
        applied(expression, item),
        "Number overflow. Attempting to store a number with magnitude larger than supported range");
  }
}

TEST(Update, RefusesToNestTooDeep) {
  std::string deep = R"({"M":{}})";
  std::string path = "a";
  for (int i = 1; i < 31; ++i) {
    deep = "{\"M\":{\"a\":" + deep + "}}";
    path += ".a";
  }
  const std::string item = "{\"a\":" + deep + "}";
  EXPECT_EQ(applied("SET " + path + ".a = :s", item).find("Nesting"), std::string::npos);
  EXPECT_THAT(applied("SET " + path + ".a = :m", item),
              ::testing::StartsWith("Nesting Levels have exceeded supported limits"));
}

// An item of nearly kItemBytesMax whose list `l` takes a hundred times as much memory as it counts.
ItemTree wide_item() {
  return {{"l", Value::list(Value::List(409'000, Value::string("")))},
          {"s", Value::string("x")},
          {"ss", Value::set(ValueType::kStringSet, {"x"})}};
}

// SETs of a0, a1, ... to `value`, as many as an expression holds with `more` behind them.
std::string many_sets(std::string_view value, std::string_view more = "") {
  std::string text = "SET b = :n";
  for (int i = 0; text.size() + more.size() < 4060; ++i)
    text.append(",a").append(std::to_string(i)).append("=").append(value);
  return text.append(more);
}

TEST(Update, RefusesWhatIsTooLargeBeforeItIsCopied) {
  const char* too_large = "Item size to update has exceeded the maximum allowed size";
  const ItemTree item = wide_item();
  auto refusal = [&](std::string_view text) {
    const Result<Update> update = parse(text);
    EXPECT_TRUE(update) << update.error().message;
    return update->apply(item, true).error().message;
  };
  EXPECT_EQ(refusal("SET a = l, b = l"), too_large);
  EXPECT_EQ(refusal(many_sets("l")), too_large);
  EXPECT_EQ(refusal(many_sets("if_not_exists(l,:n)")), too_large);
  EXPECT_EQ(refusal(many_sets("list_append(l,l)")), too_large);
  EXPECT_EQ(refusal(many_sets("list_append(:list,l)")), too_large);
}

TEST(Update, SpeaksOfTypesAndOfWhatIsMissingBeforeItSpeaksOfSize) {
  const char* type = "An operand in the update expression has an incorrect data type";
  const char* missing =
      "The provided expression refers to an attribute that does not exist in the item";
  const char* path = "The document path provided in the update expression is invalid for update";
  const ItemTree item = wide_item();
  auto refusal = [&](std::string_view more) {
    return parse(many_sets("l", more))->apply(item, true).error().message;
  };
  EXPECT_EQ(refusal(",x=s+:n"), type);
  EXPECT_EQ(refusal(",x=absent,y=list_append(l,s)"), type);
  EXPECT_EQ(refusal(",x=absent ADD ss :ns"), type);
  EXPECT_EQ(refusal(",x=absent"), missing);
  EXPECT_EQ(refusal(",x=list_append(l,absent)"), missing);
  EXPECT_EQ(refusal(",x.y=:n"), path);
}

TEST(Update, OfASetCountsNoElementTwice) {
  // Together, old and added elements would be over the limit.
  const std::string half(300'000, 'x');
  Bindings bindings;
  ASSERT_TRUE(parse_bindings("", "{\":half\":{\"SS\":[\"" + half + "\",\"y\"]}}", bindings));
  const Result<Update> update = Update::parse("ADD ss :half", bindings);
  const Result<ItemTree> result =
      update->apply({{"ss", Value::set(ValueType::kStringSet, {half, "z"})}}, true);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->at("ss").set(), (std::vector<std::string>{half, "y", "z"}));
}

TEST(Update, RefusesATextThatIsTooLong) {
  const std::string text = "REMOVE " + std::string(4090, 'a');
  EXPECT_EQ(error_of(text), "Expression size has exceeded the maximum allowed size;");
  EXPECT_EQ(error_of(std::string_view(text).substr(1)),
            "Syntax error; token: \"EMOVE\", near: \"EMOVE " + std::string(4090, 'a') + "\"");
}

TEST(Update, SyntaxErrorsNameTheTokenAndItsNeighbours) {
  const std::pair<const char*, const char*> cases[] = {
      {"INVALID SYNTAX HERE", R"x(token: "INVALID", near: "INVALID SYNTAX")x"},
      {"SET", R"x(token: "<EOF>", near: "SET")x"},
      {"ADD hits : incr", R"x(token: ":", near: "hits : incr")x"},
      {"set _something = :s", R"x(token: "_", near: "set _something")x"},
      {"ADD numx", R"x(token: "<EOF>", near: "numx")x"},
      {"DELETE setx a", R"x(token: "a", near: "setx a")x"},
      {"SET x = :n +", R"x(token: "<EOF>", near: "+")x"},
      {"SET x = x * :n", R"x(token: "*", near: "x * :n")x"},
      {"SET a = :n, ", R"x(token: "<EOF>", near: ", ")x"},
      {"SET a", R"x(token: "<EOF>", near: "a")x"},
      {"SET a = :n :s", R"x(token: ":s", near: ":n :s")x"},
      {"SET #n[0.x = :n", R"x(token: ".", near: "0.x")x"},
      {"SET a = a + :n + :n", R"x(token: "+", near: ":n + :n")x"},
      {"REMOVE a.", R"x(token: "<EOF>", near: ".")x"},
  };
  for (const auto& [text, error] : cases) {
    EXPECT_EQ(error_of(text), std::string("Syntax error; ") + error) << text;
  }
}

TEST(Update, RefusesWhatCannotWork) {
  const std::string misplaced = "The function is not allowed in an update expression; function: ";
  const std::string unusable =
      "The function is not allowed to be used this way in an expression; function: ";
  const std::string wrong = "Incorrect operand type for operator or function; ";
  auto overlap = [](const char* what, const char* one, const char* two) {
    return std::string("Two document paths ") + what +
           " with each other; must remove or rewrite one of these paths; path one: " + one +
           ", path two: " + two;
  };
  const std::pair<const char*, std::string> cases[] = {
      {"", "The expression can not be empty;"},
      {"SET a = :s SET b = :s",
       "The \"SET\" section can only be used once in an update expression;"},
      {"REMOVE a REMOVE b",
       "The \"REMOVE\" section can only be used once in an update expression;"},
      {"SET a = :s, a = :n", overlap("overlap", "[a]", "[a]")},
      {"SET a = :s, a.b = :n", overlap("overlap", "[a]", "[a, b]")},
      {"SET l[0] = :s, l[0].x = :s", overlap("overlap", "[l, [0]]", "[l, [0], x]")},
      {"SET #n = :s REMOVE n", overlap("overlap", "[n]", "[n]")},
      {"SET a.b = :s, a[0] = :s", overlap("conflict", "[a, b]", "[a, [0]]")},
      {"SET a = contains(s, :s)", misplaced + "contains"},
      {"SET a = size(s)", misplaced + "size"},
      {"SET a = foo(s)", "Invalid function name; function: foo"},
      {"SET a = list_append(list_append(l, :list), :list)", unusable + "list_append"},
      {"SET a = if_not_exists(if_not_exists(n, :z), :n)",
       "Operator or function requires a document path; operator or function: if_not_exists"},
      {"SET a = if_not_exists(:n, :n)",
       "Operator or function requires a document path; operator or function: if_not_exists"},
      {"SET a = if_not_exists(b)",
       "Incorrect number of operands for operator or function; operator or function: "
       "if_not_exists, number of operands: 1"},
      {"SET a = list_append(:list, :s)",
       wrong + "operator or function: list_append, operand type: S"},
      {"SET a = :s + :n", wrong + "operator or function: +, operand type: S"},
      {"SET a = b - :list", wrong + "operator or function: -, operand type: L"},
      {"SET a = list_append(l, :list) + :n", unusable + "list_append"},
      {"SET a = :n - list_append(l)", unusable + "list_append"},
      {"SET a = list_append(:undefined)",
       "An expression attribute value used in expression is not defined; attribute value: "
       ":undefined"},
      {"ADD a :s", wrong + "operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"},
      {"ADD a :list",
       wrong + "operator: ADD, operand type: LIST, typeSet: ALLOWED_FOR_ADD_OPERAND"},
      {"ADD a :m", wrong + "operator: ADD, operand type: MAP, typeSet: ALLOWED_FOR_ADD_OPERAND"},
      {"DELETE a :n",
       wrong + "operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND"},
      {"SET a = :undefined",
       "An expression attribute value used in expression is not defined; attribute value: "
       ":undefined"},
      {"SET #undefined = :s",
       "An expression attribute name used in the document path is not defined; attribute name: "
       "#undefined"},
      {"SET name = :s", "Attribute name is a reserved keyword; reserved keyword: name"},
      {"SET a = ((:n))", "The expression has redundant parentheses;"},
  };
  for (const auto& [text, error] : cases) EXPECT_EQ(error_of(text), error) << text;
}

TEST(Update, ChargesWhatTheRequestSaysWhateverTheItemIs) {
  auto charged = [](std::string_view text) { return parse(text)->charged_size(); };
  constexpr size_t kSet = 3 + 19 + 1;  // of a name of one letter
  EXPECT_EQ(charged("SET a = :s"), kSet + 3);
  EXPECT_EQ(charged("SET #name = :s"), kSet - 1 + 4 + 3) << "names, not their placeholders";
  EXPECT_EQ(charged("SET a = :s, n = :n"), kSet + 3 + 19 + 1 + 2);
  EXPECT_EQ(charged("SET m.kk = :s"), kSet + 4 + 2 + 3);
  EXPECT_EQ(charged("SET l[10] = :s"), kSet + 4 + 2 + 3);
  EXPECT_EQ(charged("SET a = :list"), kSet + 3 + 1 + 4);
  EXPECT_EQ(charged("SET a = :m, b = :m"), kSet + 6 + 19 + 1 + 6) << "at every use";
  EXPECT_EQ(charged("SET a = copied"), kSet + 1 + 14 + 6);
  EXPECT_EQ(charged("SET a = m.z[10]"), kSet + 1 + 14 + 1 + 14 + 1 + 14 + 2);
  EXPECT_EQ(charged("SET n = n + :n"), kSet + 34 + 15 + 1 + 2);
  EXPECT_EQ(charged("SET n = :n - n"), kSet + 37 + 15 + 1 + 2);
  EXPECT_EQ(charged("SET l = list_append(l, :list)"), kSet + 37 + 15 + 1 + 8);
  EXPECT_EQ(charged("SET a = if_not_exists(a, :s)"), kSet + 39 + 15 + 1 + 3);
  EXPECT_EQ(charged("SET a = if_not_exists(a, :z) + :n"), kSet + 34 + 39 + 15 + 1 + 1 + 2);
  EXPECT_EQ(charged("ADD n :n"), kSet + 2);
  EXPECT_EQ(charged("ADD a :ss"), kSet + 2);
  EXPECT_EQ(charged("REMOVE a, m.kk, l[10]"), 3 + 1 + 1 + 1 + 1 + 4 + 2 + 1 + 1 + 4 + 2u);
  EXPECT_EQ(charged("DELETE a :ss"), 3 + 1 + 1u);
}

TEST(Update, KnowsThePathsThatItReads) {
  const Result<Update> update =
      parse("SET a = if_not_exists(b.c, :s), d = l[0] + n ADD e :ss REMOVE f");
  ASSERT_EQ(update->operand_paths().size(), 3u);
  EXPECT_EQ(update->operand_paths()[0][1].name, "c");
  EXPECT_EQ(update->operand_paths()[1][1].index, 0u);
  EXPECT_EQ(update->operand_paths()[2][0].name, "n");
}

TEST(Update, NamesWhatItWrites) {
  const Update update = parse("SET m.a = :s, m.b = elsewhere REMOVE l[0] ADD n :n").value();
  EXPECT_THAT(update.attribute_names(), ::testing::ElementsAre("l", "m", "n"));
  EXPECT_EQ(update.paths().size(), 4u);
}

}  // namespace
}  // namespace millrace
