#include "core/model/item_json.h"

#include <iostream>

#include "tests/core/model/random_value.h"

namespace millrace {
namespace {

// The encoding of a JSON item, or the error.
Result<std::string> parse(std::string_view json, ValueWords words = ValueWords::kWrite) {
  simdjson::padded_string padded(json);
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  if (parser.iterate(padded).get(document) || document.get_object().get(object)) {
    return make_error(ErrorCode::kSerialization, {});
  }
  std::string out = "before";
  if (Status status = parse_item(object, out, words); !status) return status.error();
  EXPECT_TRUE(out.starts_with("before"));
  out.erase(0, 6);
  EXPECT_TRUE(validate_item(out).has_value()) << json;
  return out;
}

std::string rendered(std::string_view encoded) {
  std::string out;
  render_item(ItemView(encoded), out);
  return out;
}

std::string round_trip(std::string_view json) {
  Result<std::string> encoded = parse(json);
  if (encoded) return rendered(*encoded);
  std::string text = "error: ";
  return text.append(encoded.error().message);
}

void expect_error(std::string_view json, ErrorCode code, std::string_view message) {
  Result<std::string> encoded = parse(json);
  ASSERT_FALSE(encoded.has_value()) << json << " gave " << rendered(*encoded);
  EXPECT_EQ(encoded.error().code, code) << json;
  EXPECT_EQ(encoded.error().message, message) << json;
}

void expect_refused(std::string_view json, std::string_view message) {
  expect_error(json, ErrorCode::kValidation, message);
}

void expect_unreadable(std::string_view json, std::string_view message) {
  expect_error(json, ErrorCode::kSerialization, message);
}

TEST(ItemJson, KeepsEveryType) {
  for (
      const char* json : {
          R"({})",
          R"({"a":{"S":""}})",
          R"({"a":{"S":"text"},"b":{"N":"-1.5"},"c":{"B":"AAH/"},"d":{"BOOL":true},"e":{"BOOL":false},"f":{"NULL":true}})",
          R"({"l":{"L":[{"S":"x"},{"L":[]},{"M":{}}]},"m":{"M":{"k":{"N":"1"}}}})",
          R"({"bs":{"BS":["","AA=="]},"ns":{"NS":["-2","0","10"]},"ss":{"SS":["","a","b"]}})",
          R"({"\"quoted\"":{"S":"\\ \" \b\f\n\r\t \u0001 é € 😀 /"}})",
      }) {
    EXPECT_EQ(round_trip(json), json);
  }
}

TEST(ItemJson, IsCanonical) {
  EXPECT_EQ(round_trip(R"( { "b" : { "N" : "1.0" } , "a" : { "S" : "x" } } )"),
            R"({"a":{"S":"x"},"b":{"N":"1"}})");
  EXPECT_EQ(round_trip(R"({"s":{"SS":["b","a"]},"n":{"NS":["3","20","-1.50"]}})"),
            R"({"n":{"NS":["-1.5","3","20"]},"s":{"SS":["a","b"]}})");
  EXPECT_EQ(round_trip(R"({"é":{"\u0053":"\ud83d\ude00\/\u00e9"}})"), R"({"é":{"S":"😀/é"}})");
  EXPECT_EQ(round_trip(R"({"m":{"M":{"z":{"S":"1"},"a":{"M":{"y":{"S":""},"b":{"S":""}}}}}})"),
            R"({"m":{"M":{"a":{"M":{"b":{"S":""},"y":{"S":""}}},"z":{"S":"1"}}}})");
  EXPECT_EQ(round_trip(R"({"a":{"S":"first"},"b":{"S":""},"a":{"S":"last"}})"),
            R"({"a":{"S":"last"},"b":{"S":""}})");
  EXPECT_EQ(round_trip(R"({"a":null,"b":{"S":"x","N":null,"unknown":[1,{"x":2}]}})"),
            R"({"b":{"S":"x"}})");
  EXPECT_EQ(round_trip(R"({"a":{"BOOL":"true"},"b":{"BOOL":"no"},"c":{"NULL":"1"}})"),
            R"({"a":{"BOOL":true},"b":{"BOOL":false},"c":{"NULL":true}})");
}

TEST(ItemJson, ManyAttributes) {
  std::string json = "{", sorted = "{";
  for (int i = 0; i < 300; ++i) {
    for (auto& [text, number] : {std::pair(&json, 1299 - i), std::pair(&sorted, 1000 + i)}) {
      text->append(i ? ",\"" : "\"").append(std::to_string(number)).append(R"(":{"NULL":true})");
    }
  }
  EXPECT_EQ(round_trip(json + "}"), sorted + "}");
}

TEST(ItemJson, RefusesValuesThatAreNotExactlyOne) {
  const char* empty =
      "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";
  expect_refused(R"({"a":{}})", empty);
  expect_refused(R"({"a":{"X":"1"}})", empty);
  expect_refused(R"({"a":{"S":null}})", empty);
  expect_refused(R"({"a":{"L":[null]}})", empty);
  const char* several =
      "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
      "supported datatypes";
  expect_refused(R"({"a":{"S":"x","N":"1"}})", several);
  expect_refused(R"({"a":{"M":{"b":{"L":[],"NULL":true}}}})", several);
}

TEST(ItemJson, RefusesWhatTheTypesDoNotAllow) {
  const std::string invalid = "One or more parameter values were invalid: ";
  expect_refused(R"({"a":{"NULL":false}})",
                 invalid + "Null attribute value types must have the value of true");
  expect_refused(R"({"a":{"SS":[]}})", invalid + "An string set  may not be empty");
  expect_refused(R"({"a":{"NS":[]}})", invalid + "An number set  may not be empty");
  expect_refused(R"({"a":{"BS":[]}})", invalid + "Binary sets should not be empty");
  expect_refused(R"({"a":{"SS":["b","a","b"]}})",
                 invalid + "Input collection [b, a, b] contains duplicates.");
  expect_refused(R"({"a":{"SS":["a","a"]}})",
                 invalid + "Input collection [a, a] contains duplicates.");
  expect_refused(R"({"a":{"SS":["",""]}})", invalid + "Input collection [, ] contains duplicates.");
  expect_refused(R"({"a":{"NS":["1","1.0"]}})", "Input collection contains duplicates");
  expect_refused(R"({"a":{"BS":["AQ==","AQ=="]}})",
                 invalid + "Input collection [AQ==, AQ==]of type BS contains duplicates.");
  expect_refused(R"({"a":{"N":"one"}})",
                 "The parameter cannot be converted to a numeric value: one");
  expect_refused(R"({"a":{"NS":["1","1e126"]}})",
                 "Number overflow. Attempting to store a number with magnitude larger than "
                 "supported range");
}

TEST(ItemJson, RefusesOverdeepValues) {
  auto nested = [](int levels) {
    std::string json = R"({"NULL":true})";
    for (int i = 1; i < levels; ++i) {
      std::string outer = i % 2 ? R"({"L":[)" : R"({"M":{"m":)";
      outer.append(json).append(i % 2 ? "]}" : "}}");
      json = std::move(outer);
    }
    std::string item = R"({"a":)";
    item.append(json).append("}");
    return item;
  };
  EXPECT_TRUE(parse(nested(kNestingMax)).has_value());
  const char* too_deep =
      "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels "
      "beyond supported limit";
  expect_refused(nested(kNestingMax + 1), too_deep);
  expect_refused(nested(300), too_deep);
}

TEST(ItemJson, NamesOfAttributesAreJudgedBeforeDepthAndThatBeforeWhatIsInside) {
  std::string deep = R"({"S":"leaf"})";
  for (int level = 0; level < kNestingMax; ++level)
    deep = std::string(R"({"L":[)").append(deep).append("]}");
  const std::string name = R"("":{"S":"x"})", too_deep = "\"d\":" + deep;
  const std::string inner_name = R"("m":{"M":{)" + name + "}}", number = R"("n":{"N":"x"})";
  auto refusal = [&](const std::string& one, const std::string& other) {
    return parse("{" + one + "," + other + "}").error().message;
  };
  const std::string nesting =
      "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels "
      "beyond supported limit";
  for (const auto& [first, second, message] :
       {std::tuple(name, too_deep, std::string("Empty attribute name")),
        std::tuple(too_deep, inner_name, nesting), std::tuple(too_deep, number, nesting)}) {
    EXPECT_EQ(refusal(first, second), message);
    EXPECT_EQ(refusal(second, first), message);
  }
  EXPECT_EQ(refusal(inner_name, number), "Empty attribute name") << "what comes first";
}

TEST(ItemJson, WrongShapesAreSerializationErrors) {
  const char* structure = "Start of structure or map found where not expected";
  const char* value_class =
      "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue";
  const std::pair<const char*, const char*> cases[] = {
      {R"({"a":"x"})", "Unexpected value type in payload"},
      {R"({"a":1})", "Unexpected value type in payload"},
      {R"({"a":true})", "Unexpected value type in payload"},
      {R"({"a":[]})", value_class},
      {R"({"a":{"S":1}})", "NUMBER_VALUE cannot be converted to String"},
      {R"({"a":{"S":1.5}})", "DECIMAL_VALUE cannot be converted to String"},
      {R"({"a":{"N":1}})", "NUMBER_VALUE cannot be converted to String"},
      {R"({"a":{"N":true}})", "TRUE_VALUE cannot be converted to String"},
      {R"({"a":{"S":false}})", "FALSE_VALUE cannot be converted to String"},
      {R"({"a":{"S":{}}})", structure},
      {R"({"a":{"S":[]}})", "Unrecognized collection type class java.lang.String"},
      {R"({"a":{"B":1}})", "only base-64-encoded strings are convertible to bytes"},
      {R"({"a":{"B":[]}})", "Unrecognized collection type class java.nio.ByteBuffer"},
      {R"({"a":{"B":"abcde"}})",
       "Base64 encoded length is expected a multiple of 4 bytes but found: 5"},
      {R"({"a":{"B":"=+/="}})", "Invalid last non-pad Base64 character dectected"},
      {R"({"a":{"B":"+/+="}})", "Invalid last non-pad Base64 character dectected"},
      {R"({"a":{"BOOL":1}})", "NUMBER_VALUE cannot be converted to Boolean"},
      {R"({"a":{"BOOL":"maybe"}})", "Unexpected token received from parser"},
      {R"({"a":{"BOOL":{}}})", structure},
      {R"({"a":{"NULL":[]}})", "Unrecognized collection type class java.lang.Boolean"},
      {R"({"a":{"SS":"x"}})", "Unexpected field type"},
      {R"({"a":{"SS":{}}})", structure},
      {R"({"a":{"SS":[1]}})", "NUMBER_VALUE cannot be converted to String"},
      {R"({"a":{"L":"x"}})", "Unexpected field type"},
      {R"({"a":{"L":{}}})", structure},
      {R"({"a":{"L":["x"]}})", "Unexpected value type in payload"},
      {R"({"a":{"M":"x"}})", "Unexpected field type"},
      {R"({"a":{"M":[]}})",
       "Unrecognized collection type java.util.Map<java.lang.String, "
       "com.amazonaws.dynamodb.v20120810.AttributeValue>"},
  };
  for (const auto& [json, message] : cases) expect_unreadable(json, message);
}

TEST(ItemJson, AShapeErrorGoesBeforeARefusal) {
  expect_unreadable(R"({"a":{"N":"x"},"b":{"S":1}})", "NUMBER_VALUE cannot be converted to String");
  expect_refused(R"({"a":{"N":"x"},"b":{"SS":[]}})",
                 "The parameter cannot be converted to a numeric value: x");
}

TEST(ItemJson, BadJsonIsASerializationError) {
  for (std::string_view json :
       {R"({"a":{"S":"x"})", R"({"a":{"S":"x"}]})", R"({"a" {"S":"x"}})",
        R"({"a":{"S":"x" "N":"1"}})", R"({"a":{"S":"\ud800"}})", R"({"a":{"S":"\x"}})",
        R"({"a":{"S":tru}})", R"({"a":{"BOOL":tru}})", R"({"a":{"S":nul}})",
        R"({"\ud800":{"S":""}})", "{\"a\":{\"S\":\"\xff\"}}", "{\"a\":{\"S\":\"\xed\xa0\x80\"}}",
        "{\"a\":{\"S\":\"line\nend\"}}", R"({"a":{"L":[{"S":""},]}})", R"({"a":{"SS":["x" "y"]}})",
        R"({"a":)", R"({"a":{"S")", "{\"a"}) {
    Result<std::string> encoded = parse(json);
    ASSERT_FALSE(encoded.has_value()) << json;
    EXPECT_EQ(encoded.error().code, ErrorCode::kSerialization) << json;
  }
}

TEST(ItemJson, NamesAreNeitherEmptyNorTooLong) {
  const std::string longest(65535, 'n');
  EXPECT_TRUE(parse("{\"" + longest + R"(":{"S":"x"}})").has_value());
  const std::string too_large = "Attribute name is too large, must be less than 65536 bytes";
  for (const auto& [name, message] :
       {std::pair<std::string, std::string>{"", "Empty attribute name"},
        {longest + "n", too_large}}) {
    const std::string entry = "\"" + name + R"(":{"S":"x"})";
    for (const std::string& json : {"{" + entry + "}", R"({"m":{"M":{)" + entry + "}}}"}) {
      Result<std::string> encoded = parse(json);
      ASSERT_FALSE(encoded.has_value());
      EXPECT_EQ(encoded.error().code, ErrorCode::kValidation);
      EXPECT_EQ(encoded.error().message, message);
    }
  }
}

TEST(ItemJson, RandomItemsComeBack) {
  const uint64_t seed = random_seed();
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  for (int round = 0; round < 3000; ++round) {
    const std::string encoded = encode_item(testing::random_item(random));
    const std::string json = rendered(encoded);
    Result<std::string> parsed = parse(json);
    ASSERT_TRUE(parsed.has_value()) << json << ": " << parsed.error().message;
    ASSERT_EQ(*parsed, encoded) << json;
  }
}

TEST(ItemJson, DamagedJsonIsAnErrorOrAnItem) {
  const uint64_t seed = random_seed();
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  for (int round = 0; round < 20000; ++round) {
    std::string json = rendered(encode_item(testing::random_item(random)));
    static constexpr char kBytes[] = "{}[]\":,\\ntf0\x80\xff ";
    for (size_t i = 1 + random.below(3); i > 0 && !json.empty(); --i) {
      json[random.below(json.size())] = kBytes[random.below(sizeof kBytes - 1)];
    }
    if (random.one_in(3)) json.resize(random.below(json.size() + 1));
    (void)parse(json);  // checks what it accepts
  }
}

TEST(ItemJson, ReadsHaveWordsOfTheirOwnForDuplicatesAndNumbers) {
  const std::string invalid = "One or more parameter values were invalid: Input collection ";
  auto message = [](std::string_view json) {
    return parse(json, ValueWords::kRead).error().message;
  };
  EXPECT_EQ(message(R"({"a":{"SS":["b","a","b"]}})"),
            invalid + R"(["a", "b", "b"] contains duplicates.)");
  EXPECT_EQ(message(R"({"a":{"SS":["c","a","c","b","a"]}})"),
            invalid + R"(["a", "c", "c", "b", "a"] contains duplicates.)");
  EXPECT_EQ(message(R"({"a":{"BS":["/w==","AA==","AA=="]}})"),
            invalid + R"(["AA==","/w==","AA=="]of type BS contains duplicates.)");
  EXPECT_EQ(message(R"({"a":{"NS":["2","1","2"]}})"), invalid + "contains duplicates.");
  EXPECT_EQ(message(R"({"a":{"N":""}})"), "The parameter cannot be converted to a numeric value: ");
}

TEST(ItemJson, SingleValues) {
  auto value = [](std::string_view json) -> Result<std::string> {
    simdjson::padded_string padded(json);
    simdjson::ondemand::parser parser;
    simdjson::ondemand::document document = parser.iterate(padded);
    simdjson::ondemand::value member;
    if (document.get_object().find_field("v").get(member)) abort();
    std::string out;
    if (Status status = parse_value(member, out); !status) return status.error();
    std::string text;
    render_value(ValueView(out), text);
    return text;
  };
  EXPECT_EQ(value(R"({"v":{"SS":["b","a"]}})").value(), R"({"SS":["a","b"]})");
  EXPECT_EQ(
      value(R"({"v":null})").error().message,
      "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
}

TEST(ItemJson, Base64) {
  const std::pair<std::string_view, const char*> cases[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe\xfd", "//79"}};
  for (const auto& [bytes, text] : cases) {
    std::string encoded, decoded;
    render_base64(bytes, encoded);
    EXPECT_EQ(encoded, text);
    EXPECT_TRUE(parse_base64(text, decoded));
    EXPECT_EQ(decoded, bytes);
  }
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm9v====", "Z m9", "-_-_", "====", "Zg==Zg=="}) {
    std::string decoded;
    EXPECT_FALSE(parse_base64(text, decoded)) << text;
  }
}

TEST(ItemJson, EscapesEveryControlCharacterAtEveryPlace) {
  for (size_t place = 0; place < 20; ++place) {
    for (int c = 0; c < 128; ++c) {
      std::string text(20, '\xc3');
      for (size_t i = 1; i < 20; i += 2) text[i] = '\xa9';
      text.insert(place / 2 * 2, 1, static_cast<char>(c));
      std::string json;
      render_json_string(text, json);
      std::string array = "[";
      simdjson::padded_string padded(array.append(json).append("]"));
      simdjson::ondemand::parser parser;
      simdjson::ondemand::document document = parser.iterate(padded);
      std::string_view back;
      ASSERT_FALSE(document.get_array().at(0).get_string().get(back)) << json;
      ASSERT_EQ(back, text);
    }
  }
}

}  // namespace
}  // namespace millrace
