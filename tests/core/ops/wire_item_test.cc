#include "core/ops/wire_item.h"

#include <gtest/gtest.h>

#include "core/model/item_json.h"

namespace millrace {
namespace {

std::string ordered(std::string_view number) {
  std::string bytes;
  Number::parse(number)->append_ordered(bytes);
  return bytes;
}

TEST(WireItem, says_as_much_as_the_encoding) {
  ItemTree item;
  item["text"] = Value::string(std::string("a\"\\\x01\n\u00e9\0b", 9));
  item["large"] = Value::string(std::string(100'000, 'x'));
  item["\"\n"] = Value::binary(std::string("\x00\xff", 2));
  item["number"] = Value::number(*Number::parse("-1.50E-100"));
  item["numbers"] = Value::set(ValueType::kNumberSet, {ordered("2"), ordered("-10")});
  item["texts"] = Value::set(ValueType::kStringSet, {"b", "a"});
  item["list"] = Value::list({Value::null(), Value::boolean(true), Value::map({})});
  const std::string encoded = encode_item(item);
  std::string body, again;
  render_wire_item(ItemView(encoded), body);
  parse_wire_item(body, again);
  EXPECT_EQ(again, encoded);
  std::string json;
  render_item(ItemView(encoded), json);
  EXPECT_EQ(json_of_wire_item(body), json);
  EXPECT_EQ(body, "{\"Item\":" + json + "}");
}

TEST(WireItem, of_absence_holds_no_item) {
  std::string body;
  render_wire_item(std::nullopt, body);
  EXPECT_EQ(body, "{}");
  EXPECT_EQ(json_of_wire_item(body), "");
}

}  // namespace
}  // namespace millrace
