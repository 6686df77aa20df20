#include "streams/event_filter.h"

#include "stream_node.h"
#include "streams/change_reader.h"

namespace millrace::streams {
namespace {

/// A table with two changes of one item, made by a service: an insertion and a modification.
class EventFilterTest : public testing::Test {
 protected:
  EventFilterTest() {
    node_.create_table("films", StreamViewType::kNewImage, KeyAttribute{"sk", ValueType::kNumber});
    write(R"({"pk":{"S":"Alien"},"sk":{"N":"1979"},"price":{"N":"9"}})", false);
    write(kImage, true);
    node_.create_table("bare", std::nullopt);
    node_.put("bare", "k", "v");
    ChangeReader reader(node_.log(), node_.catalog(), {}, node_.log().first_retained_lsn());
    batch_ = reader.read(100, 1 << 20).value();
    EXPECT_EQ(batch_.changes.size(), 3u);
  }

  static constexpr const char* kImage = R"({"pk":{"S":"Alien"},"sk":{"N":"1979"},
      "price":{"N":"300"},"low":{"N":"-0.5"},"title":{"S":"The Nostromo"},"empty":{"S":""},
      "seen":{"BOOL":true},"lost":{"BOOL":false},"nothing":{"NULL":true},"raw":{"B":"AQID"},
      "tags":{"SS":["blue","green"]},"years":{"NS":["1","20"]},"raws":{"BS":["AQID"]},
      "cast":{"L":[{"S":"Weaver"},{"M":{"name":{"S":"Hurt"},"age":{"N":"39"}}}]},
      "deep":{"M":{"a":{"M":{"b":{"N":"7"}}},"S":{"S":"named as a type"}}}})";

  void write(const std::string& json, bool modifies) {
    node_.run([&](Commit& commit) {
      commit.set_field(EntryField::kIdentity, "dynamodb.amazonaws.com");
      std::string padded = json, image;
      padded.reserve(json.size() + simdjson::SIMDJSON_PADDING);
      simdjson::ondemand::parser parser;
      simdjson::ondemand::document document;
      simdjson::ondemand::object object;
      ASSERT_FALSE(parser.iterate(padded).get(document) || document.get_object().get(object));
      ASSERT_TRUE(parse_item(object, image));
      TablePtr table = node_.catalog().find("films");
      auto key = store_key(table->key, table->generation, ItemView(image).attributes(), false);
      std::string before;
      ASSERT_EQ(commit.get(*key, before).value(), modifies);
      std::optional<std::string_view> old;
      if (modifies) old = before;
      commit.put(*key, image, modifies, old);
    });
  }

  bool matches(const std::string& pattern, size_t change = 1) {
    auto filter = EventFilter::parse(pattern, "eu-west-1", "000000000000");
    EXPECT_TRUE(filter) << pattern << ": " << filter.error().message;
    return filter && (*filter)->matches(batch_.changes[change]);
  }
  /// Of an attribute of the new image.
  bool image_matches(const std::string& pattern) {
    return matches(R"({"dynamodb":{"NewImage":)" + pattern + "}}");
  }

  StreamNode node_;
  ChangeBatch batch_;
};

TEST_F(EventFilterTest, AnEmptyPatternMatchesEverything) {
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(matches("{}", i));
}

TEST_F(EventFilterTest, TheRecordsOwnFields) {
  const Change& change = batch_.changes[1];
  const auto text = [](const char* field, const std::string& value) {
    return std::string("{\"") + field + "\":[\"" + value + "\"]}";
  };
  EXPECT_TRUE(matches(text("eventName", "MODIFY")));
  EXPECT_FALSE(matches(text("eventName", "INSERT")));
  EXPECT_TRUE(matches(text("eventName", "INSERT"), 0));
  EXPECT_TRUE(matches(text("eventSource", "aws:dynamodb")));
  EXPECT_TRUE(matches(text("eventVersion", "1.1")));
  EXPECT_TRUE(matches(text("awsRegion", "eu-west-1")));
  std::string id;
  append_event_id(change.change.lsn, id);
  EXPECT_TRUE(matches(text("eventID", id)));
  EXPECT_FALSE(matches(text("eventID", id), 0));
  EXPECT_TRUE(matches(
      R"({"eventSourceARN":[{"prefix":"arn:aws:dynamodb:eu-west-1:000000000000:table/films/stream/20"}]})"));
  EXPECT_TRUE(
      matches(text("eventSourceARN", "arn:aws:dynamodb:eu-west-1:000000000000:table/bare"), 2));
  EXPECT_TRUE(matches(R"({"userIdentity":{"type":["Service"],
                          "principalId":["dynamodb.amazonaws.com"]}})"));
  EXPECT_FALSE(matches(R"({"userIdentity":{"type":["Service"]}})", 2));
  EXPECT_FALSE(matches(R"({"eventname":["MODIFY"]})"));
}

TEST_F(EventFilterTest, TheFieldsUnderDynamodb) {
  const Change& change = batch_.changes[1];
  EXPECT_TRUE(matches(R"({"dynamodb":{"Keys":{"pk":{"S":["Alien"]},"sk":{"N":["1979"]}}}})"));
  EXPECT_FALSE(matches(R"({"dynamodb":{"Keys":{"price":{"N":["300"]}}}})"));
  EXPECT_TRUE(matches(R"({"dynamodb":{"OldImage":{"price":{"N":["9"]}}}})"));
  EXPECT_FALSE(matches(R"({"dynamodb":{"OldImage":{"price":{"N":["9"]}}}})", 0));
  EXPECT_TRUE(matches(R"({"dynamodb":{"StreamViewType":["NEW_AND_OLD_IMAGES"]}})"));
  EXPECT_TRUE(matches(R"({"dynamodb":{"SequenceNumber":[")" + sequence_number(change.change.lsn) +
                      "\"]}}"));
  const std::string seconds = std::to_string(change.entry.time_ms() / 1000);
  EXPECT_TRUE(matches(R"({"dynamodb":{"ApproximateCreationDateTime":[)" + seconds + "]}}"));
  EXPECT_FALSE(matches(R"({"dynamodb":{"ApproximateCreationDateTime":[")" + seconds + "\"]}}"));
  EXPECT_TRUE(matches(R"({"dynamodb":{"SizeBytes":[{"numeric":[">",20,"<",1000]}]}})"));
  EXPECT_FALSE(matches(R"({"dynamodb":{"SizeBytes":[{"numeric":["<",20]}]}})"));
}

TEST_F(EventFilterTest, EveryTypeOfValue) {
  EXPECT_TRUE(image_matches(R"({"title":{"S":["The Nostromo"]}})"));
  EXPECT_TRUE(image_matches(R"({"empty":{"S":[""]}})"));
  EXPECT_FALSE(image_matches(R"({"title":{"S":[""]}})"));
  EXPECT_FALSE(image_matches(R"({"title":{"N":["The Nostromo"]}})"));
  EXPECT_TRUE(image_matches(R"({"seen":{"BOOL":[true]},"lost":{"BOOL":[false]}})"));
  EXPECT_FALSE(image_matches(R"({"seen":{"BOOL":[false]}})"));
  EXPECT_FALSE(image_matches(R"({"seen":{"BOOL":["true"]}})"));
  EXPECT_TRUE(image_matches(R"({"nothing":{"NULL":[true]}})"));
  EXPECT_FALSE(image_matches(R"({"nothing":{"NULL":[null]}})"));
  EXPECT_TRUE(image_matches(R"({"raw":{"B":["AQID"]}})"));
  EXPECT_TRUE(image_matches(R"({"deep":{"M":{"a":{"M":{"b":{"N":["7"]}}}}}})"));
  EXPECT_TRUE(image_matches(R"({"deep":{"M":{"S":{"S":["named as a type"]}}}})"));
  EXPECT_FALSE(image_matches(R"({"deep":{"M":{"S":["named as a type"]}}})"));
}

TEST_F(EventFilterTest, OneElementOfASetOrListMustMatch) {
  EXPECT_TRUE(image_matches(R"({"tags":{"SS":["green"]}})"));
  EXPECT_FALSE(image_matches(R"({"tags":{"SS":["red"]}})"));
  EXPECT_TRUE(image_matches(R"({"years":{"NS":[{"numeric":[">",10]}]}})"));
  EXPECT_FALSE(image_matches(R"({"years":{"NS":[{"numeric":[">",1,"<",20]}]}})"));
  EXPECT_TRUE(image_matches(R"({"raws":{"BS":["AQID"]}})"));
  EXPECT_TRUE(image_matches(R"({"cast":{"L":{"S":["Weaver"]}}})"));
  EXPECT_TRUE(image_matches(R"({"cast":{"L":{"M":{"name":{"S":["Hurt"]}}}}})"));
  EXPECT_FALSE(image_matches(R"({"cast":{"L":{"S":["Hurt"]}}})"));
  EXPECT_FALSE(image_matches(R"({"cast":{"L":{"S":["Weaver"],"M":{"name":{"S":["Hurt"]}}}}})"));
  EXPECT_FALSE(image_matches(R"({"cast":{"L":["Weaver"]}})"));
}

TEST_F(EventFilterTest, FieldsAreAllNeededAndRulesOneOf) {
  EXPECT_TRUE(image_matches(R"({"price":{"N":["1","300"]},"title":{"S":["x",{"prefix":"The"}]}})"));
  EXPECT_FALSE(image_matches(R"({"price":{"N":["1","2"]},"title":{"S":[{"prefix":"The"}]}})"));
  EXPECT_TRUE(matches(R"({"eventName":["REMOVE","MODIFY"]})"));
}

TEST_F(EventFilterTest, NumbersOfItemsAreTextButForNumeric) {
  EXPECT_TRUE(image_matches(R"({"price":{"N":["300"]}})"));
  EXPECT_FALSE(image_matches(R"({"price":{"N":["300.0"]}})"));
  EXPECT_FALSE(image_matches(R"({"price":{"N":[300]}})"));
  EXPECT_TRUE(image_matches(R"({"price":{"N":[{"numeric":["=",300.0]}]}})"));
  EXPECT_TRUE(image_matches(R"({"price":{"N":[{"numeric":["=",3e2]}]}})"));
  EXPECT_FALSE(image_matches(R"({"price":{"N":[{"numeric":[">",300]}]}})"));
  EXPECT_TRUE(image_matches(R"({"price":{"N":[{"numeric":[">=",300]}]}})"));
  EXPECT_FALSE(image_matches(R"({"price":{"N":[{"numeric":["<",300]}]}})"));
  EXPECT_TRUE(image_matches(R"({"price":{"N":[{"numeric":["<=",300]}]}})"));
  EXPECT_TRUE(image_matches(R"({"low":{"N":[{"numeric":[">",-1,"<",0]}]}})"));
  EXPECT_FALSE(image_matches(R"({"title":{"S":[{"numeric":[">",0]}]}})"));
}

TEST_F(EventFilterTest, TextOperators) {
  EXPECT_TRUE(image_matches(R"({"title":{"S":[{"prefix":"The N"}]}})"));
  EXPECT_TRUE(image_matches(R"({"title":{"S":[{"prefix":""}]}})"));
  EXPECT_FALSE(image_matches(R"({"title":{"S":[{"prefix":"the"}]}})"));
  EXPECT_TRUE(image_matches(R"({"title":{"S":[{"suffix":"romo"}]}})"));
  EXPECT_FALSE(image_matches(R"({"title":{"S":[{"suffix":"rom"}]}})"));
  EXPECT_TRUE(image_matches(R"({"title":{"S":[{"equals-ignore-case":"THE nostromo"}]}})"));
  EXPECT_FALSE(image_matches(R"({"title":{"S":[{"equals-ignore-case":"THE"}]}})"));
}

TEST_F(EventFilterTest, AnythingButNeedsAValueThatIsNoneOfThese) {
  EXPECT_TRUE(image_matches(R"({"title":{"S":[{"anything-but":"Alien"}]}})"));
  EXPECT_TRUE(image_matches(R"({"title":{"S":[{"anything-but":["Alien","Aliens"]}]}})"));
  EXPECT_FALSE(image_matches(R"({"title":{"S":[{"anything-but":["x","The Nostromo"]}]}})"));
  EXPECT_FALSE(image_matches(R"({"absent":{"S":[{"anything-but":"Alien"}]}})"));
  EXPECT_TRUE(matches(R"({"dynamodb":{"SizeBytes":[{"anything-but":[1,2]}]}})"));
}

TEST_F(EventFilterTest, ExistsIsOfLeavesOnly) {
  EXPECT_TRUE(image_matches(R"({"title":{"S":[{"exists":true}]}})"));
  EXPECT_FALSE(image_matches(R"({"title":{"S":[{"exists":false}]}})"));
  EXPECT_TRUE(image_matches(R"({"absent":{"S":[{"exists":false}]}})"));
  EXPECT_FALSE(image_matches(R"({"absent":{"S":[{"exists":true}]}})"));
  EXPECT_TRUE(image_matches(R"({"tags":{"SS":[{"exists":true}]}})"));
  EXPECT_FALSE(matches(R"({"dynamodb":{"NewImage":[{"exists":true}]}})"));
  EXPECT_TRUE(matches(R"({"dynamodb":{"NewImage":[{"exists":false}]}})"));
  EXPECT_FALSE(image_matches(R"({"title":[{"exists":true}]})"));
  EXPECT_FALSE(image_matches(R"({"cast":{"L":[{"exists":true}]}})"));
  EXPECT_TRUE(matches(R"({"userIdentity":{"type":[{"exists":false}]}})", 2));
}

TEST_F(EventFilterTest, OrHoldsIfOneOfItsPatternsDoes) {
  EXPECT_TRUE(image_matches(R"({"$or":[{"price":{"N":["1"]}},{"title":{"S":[{"prefix":"T"}]}}]})"));
  EXPECT_FALSE(image_matches(R"({"$or":[{"price":{"N":["1"]}},{"title":{"S":["T"]}}]})"));
  EXPECT_FALSE(image_matches(R"({"seen":{"BOOL":[false]},
                                 "$or":[{"price":{"N":["300"]}},{"title":{"S":["T"]}}]})"));
  EXPECT_TRUE(matches(R"({"$or":[{"eventName":["REMOVE"]},
                                 {"$or":[{"eventName":["MODIFY"]},{"eventID":["x"]}]}]})"));
  // A field of that name that holds no patterns is a field.
  EXPECT_FALSE(image_matches(R"({"$or":["x"]})"));
}

TEST_F(EventFilterTest, AReaderGetsOnlyWhatMatches) {
  ChangeFilter filter;
  filter.events = EventFilter::parse(R"({"eventName":["INSERT"]})", "r", "a").value();
  ChangeReader reader(node_.log(), node_.catalog(), filter, node_.log().first_retained_lsn());
  auto batch = reader.read(100, 1 << 20);
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->changes.size(), 2u);
  EXPECT_EQ(batch->changes[0].change.lsn, batch_.changes[0].change.lsn);
  EXPECT_EQ(batch->changes[1].change.lsn, batch_.changes[2].change.lsn);
  EXPECT_GE(batch->through, batch_.changes[2].change.lsn);
}

TEST(EventPattern, IsKeptWithoutNeedlessBlanks) {
  auto filter = EventFilter::parse(" { \"eventName\" : [ \"INSERT\" ] } ", "r", "a");
  ASSERT_TRUE(filter);
  EXPECT_EQ((*filter)->pattern(), R"({"eventName":["INSERT"]})");
}

TEST(EventPattern, MistakesAreNamedWithTheirPlace) {
  const auto error = [](const std::string& pattern) {
    auto filter = EventFilter::parse(pattern, "r", "a");
    return filter ? "(none)" : filter.error().message;
  };
  const std::pair<const char*, const char*> mistakes[] = {
      {"", "filter: this is not JSON: "},
      {"nonsense", "filter: this is not JSON: nonsense"},
      {"[]", "filter: a pattern is an object of JSON, such as {\"eventName\": [\"INSERT\"]}"},
      {R"({"eventName":"INSERT"})",
       "filter: 'eventName': \"INSERT\" must stand in a list: [\"INSERT\"]"},
      {R"({"eventName":[]})", "filter: 'eventName': the list of rules is empty"},
      {R"({"dynamodb":{}})", "filter: 'dynamodb': the pattern is empty"},
      {R"({"dynamodb":{"Keys":{"pk":{"S":[["x"]]}}}})",
       "filter: 'dynamodb.Keys.pk.S': [\"x\"] is no value to compare with"},
      {R"({"a":["x"],"a":["y"]})", "filter: 'a': it is there twice"},
      {R"({"a":[{"wildcard":"x*"}]})",
       "filter: 'a': 'wildcard' is no operator; there are prefix, suffix, equals-ignore-case, "
       "anything-but, numeric and exists"},
      {R"({"a":[{"prefix":"x","suffix":"y"}]})", "filter: 'a': a rule has one operator"},
      {R"({"a":[{}]})", "filter: 'a': a rule has one operator"},
      {R"({"a":[{"prefix":1}]})", "filter: 'a': prefix takes a string"},
      {R"({"a":[{"exists":"yes"}]})", "filter: 'a': exists takes true or false"},
      {R"({"a":[{"anything-but":[]}]})",
       "filter: 'a': anything-but takes a list that is not empty"},
      {R"({"a":[{"anything-but":[true]}]})", "filter: 'a': anything-but takes strings and numbers"},
      {R"({"$or":[{},{"a":["x"]}]})",
       "filter: '$or': $or takes a list of patterns that are not empty"},
  };
  for (const auto& [pattern, message] : mistakes) EXPECT_EQ(error(pattern), message);
  for (const char* operand : {"1", "[]", "[\">\"]", "[\"!\",1]", "[\">\",\"1\"]", "[1,\">\"]",
                              "[\">\",0,\"<\"]", "[\">\",0,\"<\",1,\"=\",2]"}) {
    EXPECT_EQ(error(std::string(R"({"a":[{"numeric":)") + operand + "}]}"),
              "filter: 'a': numeric takes one or two comparisons, such as [\">\", 0, \"<=\", 5]")
        << operand;
  }
}

TEST(EventPattern, IsBounded) {
  const auto parsed = [](const std::string& pattern) {
    return EventFilter::parse(pattern, "r", "a").has_value();
  };
  const std::string head = R"({"a":[")", tail = R"("]})";
  const size_t room = EventFilter::kPatternBytesMax - head.size() - tail.size();
  EXPECT_TRUE(parsed(head + std::string(room, 'x') + tail));
  EXPECT_FALSE(parsed(head + std::string(room + 1, 'x') + tail));
  const auto nested = [](int depth) {
    std::string pattern;
    for (int i = 0; i < depth; ++i) pattern += "{\"a\":";
    return pattern + "[1]" + std::string(static_cast<size_t>(depth), '}');
  };
  EXPECT_TRUE(parsed(nested(80)));
  EXPECT_FALSE(parsed(nested(82)));
}

}  // namespace
}  // namespace millrace::streams
