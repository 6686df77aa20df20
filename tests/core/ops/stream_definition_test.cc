#include "core/ops/stream_definition.h"

#include <gtest/gtest.h>

#include "core/ops/stream_codec.h"
#include "tests/golden/hex.h"

namespace millrace {
namespace {

TEST(StreamDefinition, RangesCoverTheHashSpaceOnce) {
  for (uint32_t count : {1u, 2u, 3u, 4u, 5u, 7u, 64u, 100u}) {
    uint64_t next = 0;
    uint64_t smallest = UINT64_MAX, largest = 0;
    for (uint32_t i = 0; i < count; ++i) {
      HashRange range = equal_range(i, count);
      EXPECT_EQ(range.first, next);
      EXPECT_LE(range.first, range.last);
      if (count > 1) {
        smallest = std::min(smallest, range.last - range.first);
        largest = std::max(largest, range.last - range.first);
      }
      next = range.last + 1;
    }
    EXPECT_EQ(next, 0u) << "the last one ends at the end";
    EXPECT_TRUE(count == 1 || largest - smallest <= 1);
  }
  EXPECT_EQ(equal_range(1, 4).first, uint64_t{1} << 62);
}

StreamDefinition example() {
  StreamDefinition stream;
  stream.label = "2026-11-22T10:00:00.000";
  stream.view_type = StreamViewType::kKeysOnly;
  stream.enabled_at = 1'782'000'000'000'000;
  stream.created_ms = 1'700'000'000'123;
  stream.open_shards(2);
  return stream;
}

std::string encoded(const StreamDefinition& stream) {
  return encode_item({{"Stream", stream_value(stream)}});
}

Result<StreamDefinition> decoded(const std::string& bytes) {
  return stream_of(*ItemView(bytes).get("Stream"));
}

StreamDefinition with_lineage() {
  StreamDefinition stream = example();
  stream.shards[0].closed_at = stream.shards[1].closed_at = 1'782'000'000'000'007;
  stream.shards[0].closed_ms = stream.shards[1].closed_ms = 1'700'000'000'200;
  stream.shards[1].merged_into = 2;
  ShardDefinition child;
  child.name = {2, 1'700'000'000'201};
  child.parent = stream.shards[0].name;
  child.opened_at = 1'782'000'000'000'007;
  stream.shards.push_back(child);
  stream.trimmed_through = 1'782'000'000'000'003;
  return stream;
}

void expect_same(const StreamDefinition& one, const StreamDefinition& other) {
  EXPECT_EQ(one.label, other.label);
  EXPECT_EQ(one.view_type, other.view_type);
  EXPECT_EQ(one.enabled_at, other.enabled_at);
  EXPECT_EQ(one.disabled_at, other.disabled_at);
  EXPECT_EQ(one.disabled_time_ms, other.disabled_time_ms);
  EXPECT_EQ(one.created_ms, other.created_ms);
  EXPECT_EQ(one.initial_shards, other.initial_shards);
  EXPECT_EQ(one.trimmed_through, other.trimmed_through);
  EXPECT_EQ(one.shards, other.shards);
}

TEST(StreamDefinition, DisablingClosesTheShardsThatAreOpen) {
  StreamDefinition stream = with_lineage();
  stream.disable(1'782'000'000'000'050, 1'700'000'000'900);
  EXPECT_EQ(stream.disabled_at, 1'782'000'000'000'050u);
  EXPECT_EQ(stream.shards[0].closed_at, 1'782'000'000'000'007u);
  EXPECT_EQ(stream.shards[2].closed_at, 1'782'000'000'000'050u);
  EXPECT_EQ(stream.shards[2].closed_ms, 1'700'000'000'900);
}

TEST(StreamCodec, DefinitionsComeBackAsTheyWere) {
  StreamDefinition disabled = example(), shrunk = with_lineage();
  disabled.disable(1'782'000'000'000'009, 1'700'000'001'000);
  shrunk.shards.erase(shrunk.shards.begin());
  for (const StreamDefinition& stream : {example(), disabled, with_lineage(), shrunk}) {
    const auto back = decoded(encoded(stream));
    ASSERT_TRUE(back) << back.error().message;
    expect_same(*back, stream);
  }
}

// These bytes are on disk. The form without lineage is also that of releases that had none.
TEST(StreamCodec, GoldenBytes) {
  const StreamDefinition plain = decoded(encoded(example())).value();
  EXPECT_FALSE(has_lineage(plain));
  EXPECT_EQ(hex(encoded(example())),
            "010653747265616d0a630507437265617465640309c08e12010101010d1f09456e61626c65644174"
            "0304c0911253054c6162656c0417323032362d31312d32325431303a30303a30302e303030065368"
            "617264730303c0821508566965775479706504094b4559535f4f4e4c59");
  StreamDefinition disabled = example();
  disabled.disable(1'782'000'000'000'009, 1'700'000'001'000);
  EXPECT_FALSE(has_lineage(disabled));
  EXPECT_EQ(hex(encoded(disabled)),
            "010653747265616d0a90010707437265617465640309c08e12010101010d1f0a44697361626c6564"
            "4174030ac091125301010101010a0c44697361626c656454696d650307c08e120101010209456e61"
            "626c656441740304c0911253054c6162656c0417323032362d31312d32325431303a30303a30302e"
            "303030065368617264730303c0821508566965775479706504094b4559535f4f4e4c59");
  EXPECT_TRUE(has_lineage(with_lineage()));
  EXPECT_EQ(hex(encoded(with_lineage())),
            "010653747265616d0a8b040707437265617465640309c08e12010101010d1f09456e61626c656441"
            "740304c0911253054c6162656c0417323032362d31312d32325431303a30303a30302e303030074c"
            "696e65616765098203030a740708436c6f7365644174030ac09112530101010101080a436c6f7365"
            "6454696d650308c08e12010101011507437265617465640309c08e12010101010d1f054669727374"
            "030180044c617374030cc0945d1826152556304c5147084f70656e656441740304c0911253074f72"
            "64696e616c0301800a91010808436c6f7365644174030ac09112530101010101080a436c6f736564"
            "54696d650308c08e12010101011507437265617465640309c08e12010101010d1f05466972737403"
            "0cc0945d1826152556304c5151044c617374030cc095132d442d08260a3811100a4d657267656449"
            "6e746f0303c08215084f70656e656441740304c0911253074f7264696e616c0303c0820b0a750707"
            "437265617465640309c08e1201010101150b054669727374030180044c617374030cc095132d442d"
            "08260a381110084f70656e65644174030ac0911253010101010108074f7264696e616c0303c08215"
            "06506172656e740301800d506172656e74437265617465640309c08e12010101010d1f0653686172"
            "64730303c082150e5472696d6d65645468726f756768030ac0911253010101010104085669657754"
            "79706504094b4559535f4f4e4c59");
}

TEST(StreamCodec, DamageIsNamed) {
  const auto with = [](const char* name, Value value) {
    const std::string bytes = encoded(with_lineage());
    Value::Map entries = decode_item(ItemView(bytes)).at("Stream").map();
    entries.insert_or_assign(name, std::move(value));
    return decoded(encode_item({{"Stream", Value::map(std::move(entries))}}));
  };
  for (auto bad : {with("Shards", Value::number(Number::parse("0").value())),
                   with("Shards", Value::number(Number::parse("65").value())),
                   with("Lineage", Value::list({})), with("Lineage", Value::string("x")),
                   with("Lineage", Value::list({Value::map({{"Ordinal", Value::string("0")}})})),
                   with("ViewType", Value::string("ALL"))}) {
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code, ErrorCode::kCorruption) << bad.error().message;
  }
}

}  // namespace
}  // namespace millrace
