#include "core/model/value.h"

#include <iostream>

#include "tests/core/model/random_value.h"
#include "tests/golden/hex.h"

namespace millrace {
namespace {

using testing::random_item;
using testing::random_value;

Value number(std::string_view text) { return Value::number(Number::parse(text).value()); }

std::string ordered(std::string_view text) { return number(text).scalar(); }

ItemTree golden_item() {
  return {
      {"bin", Value::binary(std::string("\0\xff", 2))},
      {"flag", Value::boolean(true)},
      {"list", Value::list({number("1"), Value::null(), Value::boolean(false)})},
      {"map", Value::map({{"x", Value::string("y")}})},
      {"num", number("-12.5")},
      {"ns", Value::set(ValueType::kNumberSet, {ordered("2"), ordered("-1")})},
      {"str", Value::string("h\xc3\xa9")},
      {"ss", Value::set(ValueType::kStringSet, {"b", "a"})},
  };
}

TEST(Value, EncodedBytesArePersistedAsTheyAre) {
  EXPECT_EQ(hex(encode_item({})), "00");
  EXPECT_EQ(hex(encode_item(golden_item())),
            "08"
            "0362696e"
            "05"
            "02"
            "00ff"
            "04666c6167"
            "02"
            "046c697374"
            "09"
            "08"
            "03"
            "0303c0820b"
            "00"
            "01"
            "036d6170"
            "0a"
            "06"
            "01"
            "0178"
            "04"
            "0179"
            "026e73"
            "07"
            "0a"
            "02"
            "04407df4ff"
            "03c08215"
            "036e756d"
            "03"
            "05"
            "407cf2ccff"
            "027373"
            "06"
            "05"
            "02"
            "0161"
            "0162"
            "03737472"
            "04"
            "03"
            "68c3a9");
}

TEST(Value, TreesAndBytesAreTheSame) {
  const uint64_t seed = random_seed();
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  for (int round = 0; round < 3000; ++round) {
    const ItemTree item = random_item(random);
    const std::string encoded = encode_item(item);
    ASSERT_TRUE(validate_item(encoded).has_value());
    ASSERT_EQ(encode_item(decode_item(ItemView(encoded))), encoded);
    const MapView attributes = ItemView(encoded).attributes();
    ASSERT_EQ(attributes.size(), item.size());
    for (const auto& [name, value] : item) {
      const std::optional<ValueView> view = attributes.get(name);
      ASSERT_TRUE(view.has_value());
      ASSERT_EQ(view->encoded(), value.encoded());
      ASSERT_EQ(view->type(), value.type());
    }
    ASSERT_FALSE(attributes.get("no such attribute").has_value());
  }
}

TEST(Value, DamagedBytesAreNeverRead) {
  const uint64_t seed = random_seed();
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  for (int round = 0; round < 20000; ++round) {
    std::string encoded = encode_item(random_item(random));
    if (random.one_in(2)) encoded.resize(random.below(encoded.size() + 1));
    for (size_t i = random.below(3); i > 0 && !encoded.empty(); --i) {
      encoded[random.below(encoded.size())] = static_cast<char>(random.below(256));
    }
    if (!validate_item(encoded)) continue;
    // What passes is canonical, so reading and writing it gives it back.
    ASSERT_EQ(encode_item(decode_item(ItemView(encoded))), encoded);
  }
}

TEST(Value, RefusesBytesThatAreNotCanonical) {
  const std::pair<const char*, std::string> cases[] = {
      {"empty", ""},
      {"count cut off", std::string("\x01", 1)},
      {"bytes after the end", std::string("\x00\x00", 2)},
      {"unknown type", std::string("\x01\x01"
                                   "a\x0b",
                                   4)},
      {"names out of order", std::string("\x02\x01"
                                         "b\x00\x01"
                                         "a\x00",
                                         7)},
      {"a name twice", std::string("\x02\x01"
                                   "a\x00\x01"
                                   "a\x00",
                                   7)},
      {"a longer varint than needed", std::string("\x81\x00\x01"
                                                  "a\x00",
                                                  5)},
      {"an empty set", std::string("\x01\x01"
                                   "a\x06\x01\x00",
                                   6)},
      {"a set out of order", std::string("\x01\x01"
                                         "a\x06\x05\x02\x01"
                                         "b\x01"
                                         "a",
                                         10)},
      {"text that is not UTF-8", std::string("\x01\x01"
                                             "a\x04\x01\xff",
                                             6)},
      {"a number that is none", std::string("\x01\x01"
                                            "a\x03\x01\x01",
                                            6)},
  };
  for (const auto& [what, bytes] : cases) {
    Status status = validate_item(bytes);
    ASSERT_FALSE(status.has_value()) << what;
    EXPECT_EQ(status.error().code, ErrorCode::kCorruption);
  }
}

Value nested(int levels) {
  Value value = Value::null();
  for (int i = 1; i < levels; ++i) value = Value::list({std::move(value)});
  return value;
}

TEST(Value, NestsAsDeepAsDynamoDB) {
  EXPECT_TRUE(validate_item(encode_item({{"a", nested(kNestingMax)}})).has_value());
  EXPECT_FALSE(validate_item(encode_item({{"a", nested(kNestingMax + 1)}})).has_value());
}

TEST(Value, ChargesAsDynamoDB) {
  // Source: developer guide, "DynamoDB item sizes and formats".
  const auto size = [](const Value& value) {
    const std::string encoded = value.encoded();
    EXPECT_EQ(charged_size(value), charged_size(ValueView(encoded)));
    return charged_size(value);
  };
  EXPECT_EQ(size(Value::null()), 1u);
  EXPECT_EQ(size(Value::boolean(true)), 1u);
  EXPECT_EQ(size(Value::string("h\xc3\xa9")), 3u);
  EXPECT_EQ(size(Value::binary("abc")), 3u);
  EXPECT_EQ(size(number("-42")), 3u);
  EXPECT_EQ(size(Value::list({})), 3u);
  EXPECT_EQ(size(Value::list({Value::null(), Value::string("ab")})), 3u + 2 + 3);
  EXPECT_EQ(size(Value::map({{"key", Value::string("ab")}})), 3u + 1 + 3 + 2);
  EXPECT_EQ(size(Value::set(ValueType::kStringSet, {"a", "bc"})), 3u);
  EXPECT_EQ(size(Value::set(ValueType::kNumberSet, {ordered("1"), ordered("-1")})), 5u);
  const std::string item = encode_item({{"pk", Value::string("a")}, {"n", number("1")}});
  EXPECT_EQ(charged_size(ItemView(item)), 2u + 1 + 1 + 2);
}

TEST(Value, SetsAreSortedAndUnique) {
  const Value set = Value::set(ValueType::kStringSet, {"b", "a", "b"});
  EXPECT_EQ(set.set(), (std::vector<std::string>{"a", "b"}));
  const std::string encoded = set.encoded();
  EXPECT_TRUE(ValueView(encoded).set().contains("a"));
  EXPECT_FALSE(ValueView(encoded).set().contains("aa"));
  EXPECT_FALSE(ValueView(encoded).set().contains("c"));
}

TEST(Value, ListsAreReadByIndex) {
  const std::string encoded = Value::list({number("1"), number("2")}).encoded();
  const ListView list = ValueView(encoded).list();
  EXPECT_EQ(list.at(1)->number().text(), "2");
  EXPECT_FALSE(list.at(2).has_value());
}

TEST(Value, AnEmptyViewIsAnEmptyItem) {
  EXPECT_EQ(ItemView().attributes().size(), 0u);
  EXPECT_FALSE(ItemView().get("a").has_value());
}

}  // namespace
}  // namespace millrace
