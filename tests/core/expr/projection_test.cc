#include "tests/core/expr/requests.h"

namespace millrace {
namespace {

using testing::item_of;
using testing::json_of;
using testing::parse_bindings;

constexpr const char* kItem = R"({
  "a":{"S":"1"}, "b":{"M":{"x":{"N":"1"},"y":{"M":{"z":{"S":"deep"}}},"w":{"NULL":true}}},
  "l":{"L":[{"S":"0"},{"M":{"k":{"S":"v"},"o":{"S":"p"}}},{"S":"2"},{"L":[{"N":"30"},{"N":"31"}]}]}, "z":{"S":"end"}
})";

std::string project(std::string_view text) {
  Bindings bindings;
  EXPECT_TRUE(parse_bindings(R"({"#a":"a","#dot":"x.y"})", "", bindings).has_value());
  Result<Projection> projection = Projection::parse(text, bindings);
  if (!projection) return projection.error().message;
  const std::string item = item_of(kItem);
  const std::string selected = projection->apply(ItemView(item));
  EXPECT_TRUE(validate_item(selected).has_value()) << text;
  return json_of(selected);
}

TEST(Projection, Selects) {
  EXPECT_EQ(project("a"), R"({"a":{"S":"1"}})");
  EXPECT_EQ(project("z, #a, absent"), R"({"a":{"S":"1"},"z":{"S":"end"}})");
  EXPECT_EQ(project("absent"), "{}");
  EXPECT_EQ(project("b.y.z, b.x"), R"({"b":{"M":{"x":{"N":"1"},"y":{"M":{"z":{"S":"deep"}}}}}})");
  EXPECT_EQ(project("b.nowhere, a"), R"({"a":{"S":"1"}})")
      << "no empty map for what selects nothing";
  EXPECT_EQ(project("l[2], l[0]"), R"({"l":{"L":[{"S":"0"},{"S":"2"}]}})")
      << "in the list's order, without holes";
  EXPECT_EQ(project("l[1].o, l[3][1], l[9]"),
            R"({"l":{"L":[{"M":{"o":{"S":"p"}}},{"L":[{"N":"31"}]}]}})");
  EXPECT_EQ(project("a.x, b[0], l[0].x"), "{}");
  EXPECT_EQ(project("#dot"), "{}");
}

TEST(Projection, RefusesWhatOverlaps) {
  const std::string prefix = "Invalid ProjectionExpression: ";
  EXPECT_EQ(project("a, b, a"),
            prefix +
                "Two document paths overlap with each other; must remove or rewrite one of these "
                "paths; path one: [a], path two: [a]");
  EXPECT_EQ(project("b.x, b"),
            prefix +
                "Two document paths overlap with each other; must remove or rewrite one of these "
                "paths; path one: [b, x], path two: [b]");
  EXPECT_EQ(project("l[0], l.k"),
            prefix +
                "Two document paths conflict with each other; must remove or rewrite one of these "
                "paths; path one: [l, [0]], path two: [l, k]");
}

TEST(Projection, RefusesBadTexts) {
  const std::string prefix = "Invalid ProjectionExpression: ";
  EXPECT_EQ(project(""), prefix + "The expression can not be empty;");
  EXPECT_EQ(project("!!invalid"), prefix + R"(Syntax error; token: "!", near: "!!")");
  EXPECT_EQ(project("l[]"), prefix + R"(Syntax error; token: "]", near: "[]")");
  EXPECT_EQ(project("a,"), prefix + R"(Syntax error; token: "<EOF>", near: ",")");
  EXPECT_EQ(project("a b"), prefix + R"(Syntax error; token: "b", near: "a b")");
  EXPECT_EQ(project("(a)"), prefix + R"x(Syntax error; token: "(", near: "(a")x");
  EXPECT_EQ(project("l[0].COMMENT"),
            prefix + "Attribute name is a reserved keyword; reserved keyword: COMMENT");
  EXPECT_EQ(project("#nowhere"),
            prefix +
                "An expression attribute name used in the document path is not "
                "defined; attribute name: #nowhere");
}

TEST(Projection, OfNames) {
  const std::string item = item_of(kItem);
  EXPECT_EQ(json_of(Projection::of_names({"z", "a", "nowhere", "a"}).apply(ItemView(item))),
            R"({"a":{"S":"1"},"z":{"S":"end"}})");
  EXPECT_EQ(json_of(Projection::of_names({}).apply(ItemView(item))), "{}");
  EXPECT_EQ(json_of(Projection::of_names({"a"}).apply(ItemView())), "{}");
}

}  // namespace
}  // namespace millrace
