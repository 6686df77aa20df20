#include "core/model/index_key.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/random.h"
#include "random_value.h"
#include "tests/golden/hex.h"

namespace millrace {
namespace {

Value number(std::string_view text) { return Value::number(Number::parse(text).value()); }

KeySchema table_key() {
  KeySchema schema;
  schema.partition.name = "pk";
  schema.sort.emplace().name = "sk";
  schema.sort->type = ValueType::kNumber;
  return schema;
}

const KeySchema kTable = table_key();
const IndexKeySchema kIndex{{{"team", ValueType::kString}, {"year", ValueType::kNumber}},
                            {{"score", ValueType::kNumber}, {"tag", ValueType::kBinary}}};

std::optional<std::string> key_of(const ItemTree& item) {
  const std::string encoded = encode_item(item);
  return index_entry_key(kIndex, 7, kTable, ItemView(encoded).attributes());
}

ItemTree item() {
  return {{"pk", Value::string("p")},
          {"sk", number("1")},
          {"team", Value::string(std::string("a\0b", 3))},
          {"year", number("12.5")},
          {"score", number("-1")},
          {"tag", Value::binary("t")}};
}

TEST(IndexKey, BytesArePersistedAsTheyAre) {
  EXPECT_EQ(hex(key_of(item()).value()),
            "0000000000000007"  // generation
            "d203645db996871f"  // hash of P
            "000c"              // length of P
            "6100ff620001"      // team, escaped and ended
            "c0830d330001"      // year
            "407df4ff0001"      // score
            "740001"            // tag
            "700001"            // pk
            "c0820b0001");      // sk
}

TEST(IndexKey, IsWithinItsPartition) {
  std::string partition;
  append_ended(std::string_view("a\0b", 3), partition);
  append_ended(number("12.5").scalar(), partition);
  std::string prefix;
  append_index_partition_prefix(7, partition, prefix);
  EXPECT_TRUE(key_of(item())->starts_with(prefix));
}

TEST(IndexKey, TellsItsPartitionsValues) {
  const std::string key = key_of(item()).value();
  std::string year;
  Number::parse("12.5").value().append_ordered(year);
  const std::vector<std::string> scalars{std::string("a\0b", 3), year};
  EXPECT_EQ(index_partition_scalars(key), scalars);
  EXPECT_EQ(index_partition_scalars(partition_prefix(key)), scalars);
  for (size_t size = 0; size < partition_prefix(key).size(); ++size) {
    EXPECT_TRUE(index_partition_scalars(key.substr(0, size)).empty());
  }
}

TEST(IndexKey, OfADamagedPartitionTellsTheValuesThatHaveAnEnd) {
  const auto scalars_of = [](std::string_view partition) {
    std::string key;
    append_index_partition_prefix(7, partition, key);
    return index_partition_scalars(key);
  };
  using Scalars = std::vector<std::string>;
  EXPECT_EQ(scalars_of(""), Scalars());
  EXPECT_EQ(scalars_of("ab"), Scalars());
  EXPECT_EQ(scalars_of(std::string_view("a\0\1b", 4)), Scalars({"a"}));
  EXPECT_EQ(scalars_of(std::string_view("a\0", 2)), Scalars());
  EXPECT_EQ(scalars_of(std::string_view("a\0\xFF", 3)), Scalars());
  EXPECT_EQ(scalars_of(std::string_view("\0\1\0\1", 4)), Scalars({"", ""}));
}

TEST(IndexKey, AnItemThatLacksAKeyAttributeIsInNoIndex) {
  for (const char* name : {"team", "year", "score", "tag"}) {
    ItemTree without = item();
    without.erase(name);
    EXPECT_EQ(key_of(without), std::nullopt) << name;
  }
}

TEST(IndexKey, AnItemWhoseValueCanBeNoKeyIsInNoIndex) {
  auto with = [](const char* name, Value value) {
    ItemTree changed = item();
    changed.insert_or_assign(name, std::move(value));
    return key_of(changed);
  };
  EXPECT_EQ(with("team", number("1")), std::nullopt);
  EXPECT_EQ(with("team", Value::null()), std::nullopt);
  EXPECT_EQ(with("team", Value::string("")), std::nullopt);
  EXPECT_EQ(with("tag", Value::binary("")), std::nullopt);
  EXPECT_EQ(with("team", Value::string(std::string(2049, 'a'))), std::nullopt);
  EXPECT_EQ(with("tag", Value::binary(std::string(1025, 'a'))), std::nullopt);
  EXPECT_NE(with("team", Value::string(std::string(2000, 'a'))), std::nullopt);
  EXPECT_NE(with("tag", Value::binary(std::string(1000, 'a'))), std::nullopt);
}

TEST(IndexKey, LengthsOfAKeysAttributesAreAddedUp) {
  const std::vector<KeyAttribute> two{{"a", ValueType::kString}, {"b", ValueType::kBinary}};
  auto are_too_long = [&](size_t a, size_t b) {
    const std::string encoded = encode_item(
        {{"a", Value::string(std::string(a, 'x'))}, {"b", Value::binary(std::string(b, 'x'))}});
    return too_long(two, 1024, ItemView(encoded).attributes());
  };
  EXPECT_FALSE(are_too_long(1000, 24));
  EXPECT_TRUE(are_too_long(1000, 25));
}

// Any tuples of values compare as their keys' bytes do, and none is another's prefix.
TEST(IndexKey, BytesOrderTuplesOfValues) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  auto value = [&] {
    std::string bytes;
    for (uint64_t n = random.below(4); n > 0; --n) {
      // The bytes that escaping is about, and some others.
      static constexpr char kBytes[] = {'\x00', '\x00', '\x01', '\x02', '\xfe', '\xff', 'a'};
      bytes += kBytes[random.below(sizeof kBytes)];
    }
    return bytes;
  };
  for (int round = 0; round < 200'000; ++round) {
    std::vector<std::string> a, b;
    for (int i = 0; i < 3; ++i) {
      a.push_back(value());
      b.push_back(random.one_in(2) ? a.back() : value());
    }
    std::string a_key, b_key;
    for (const std::string& part : a) append_ended(part, a_key);
    for (const std::string& part : b) append_ended(part, b_key);
    ASSERT_EQ(a < b, a_key < b_key) << hex(a_key) << " " << hex(b_key);
    ASSERT_EQ(a == b, a_key == b_key) << hex(a_key) << " " << hex(b_key);
    ASSERT_TRUE(a == b || !b_key.starts_with(a_key)) << hex(a_key) << " " << hex(b_key);
  }
}

TEST(IndexKey, AnEscapedBeginningIsThePrefixOfAllThatBeginWithIt) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 20'000; ++round) {
    const std::string text = testing::random_bytes(random, 4);
    const std::string beginning = random.one_in(2) ? text.substr(0, random.below(text.size() + 1))
                                                   : testing::random_bytes(random, 2);
    std::string key, prefix;
    append_ended(text, key);
    append_escaped(beginning, prefix);
    // A beginning that ends in 00 is told from its longer neighbours by the FF of its escape.
    ASSERT_EQ(text.starts_with(beginning), key.starts_with(prefix))
        << hex(key) << " " << hex(prefix);
  }
}

TEST(IndexGeneration, IsNeverThatOfATableOrOfAnotherIndex) {
  constexpr uint64_t kLastLsn = (uint64_t{1} << 53) - 1;
  EXPECT_GT(index_generation(1, 1), kLastLsn);
  EXPECT_EQ(index_generation(5, 2) - index_generation(5, 1), uint64_t{1} << 53);
  EXPECT_LT(index_generation(kLastLsn, 1), index_generation(1, 2));
  EXPECT_GT(index_generation(kLastLsn, 2047), index_generation(kLastLsn, 2046));
}

}  // namespace
}  // namespace millrace
