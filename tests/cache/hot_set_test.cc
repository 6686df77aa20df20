#include "cache/hot_set.h"

#include <string>
#include <vector>

#include "cache_fixture.h"
#include "core/base/bytes.h"
#include "core/base/hash.h"
#include "core/base/memory_disk.h"
#include "tests/golden/hex.h"

namespace millrace::cache {
namespace {

constexpr size_t kPlenty = 1u << 20;

std::vector<std::string> keys_in(std::string_view file) {
  const auto region = keys_of_hot_set(file);
  EXPECT_TRUE(region) << region.error().message;
  std::vector<std::string> keys;
  if (!region) return keys;
  for (ByteReader reader(*region); !reader.empty();) {
    std::string_view key;
    EXPECT_TRUE(reader.length_prefixed(key));
    keys.emplace_back(key);
  }
  return keys;
}

std::string file_of(HotSetBuilder& builder) {
  std::string file;
  while (const auto piece = builder.take()) file += *piece;
  return file;
}

std::string file_of(const std::vector<std::string>& keys) {
  HotSetBuilder builder(kPlenty);
  for (const std::string& key : keys) builder.add(key, 0);
  return file_of(builder);
}

/// With a right checksum.
std::string checked(std::string bytes) {
  put_fixed64(bytes, xxh3_64(bytes));
  return bytes;
}

TEST(HotSet, HasTheseBytes) {
  EXPECT_EQ(hex(file_of({key_named("a", 1024), key_named("bc", 0x0102030405060708)})),
            "4d4c52484f543031"  // MLRHOT01
            "13"                // 19 bytes
            "0000000000000400e6c632b61e964e1f000161"
            "14"  // 20
            "010203040506070822775e3bd96f68bf00026263"
            "59e35213778f1f2b");
}

TEST(HotSet, HoldsTheHottestFirst) {
  HotSetBuilder builder(kPlenty);
  for (const auto& [name, heat] : {std::pair("d", 0), std::pair("a", 5), std::pair("c", 2),
                                   std::pair("e", 0), std::pair("b", 5)}) {
    builder.add(key_named(name), static_cast<uint8_t>(heat));
  }
  EXPECT_EQ(keys_in(file_of(builder)),
            (std::vector<std::string>{key_named("a"), key_named("b"), key_named("c"),
                                      key_named("d"), key_named("e")}));
  EXPECT_TRUE(keys_in(file_of({})).empty());
}

TEST(HotSet, LeavesOutTheColdestBeyondItsBound) {
  const size_t bytes_a_key = key_named("00").size() + 1;
  const size_t bytes_max = 16 + 10 * bytes_a_key;
  HotSetBuilder builder(bytes_max);
  const auto add = [&](const char* prefix, uint8_t heat, int count) {
    for (int i = 0; i < count; ++i) builder.add(key_named(prefix + std::to_string(i)), heat);
  };
  add("c", 0, 8);
  add("b", 1, 6);
  add("a", 3, 7);
  add("d", 2, 2);
  const std::string file = file_of(builder);
  EXPECT_LE(file.size(), bytes_max);
  const std::vector<std::string> keys = keys_in(file);
  ASSERT_GE(keys.size(), 7u);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(keys[i], key_named("a" + std::to_string(i)));
  HotSetBuilder tiny(20);
  tiny.add(key_named("a"), 5);
  EXPECT_TRUE(keys_in(file_of(tiny)).empty());
}

TEST(HotSet, DamageAnywhereIsTold) {
  const std::string file = file_of({key_named("a"), key_named("b")});
  for (size_t i = 0; i < file.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = file;
      damaged[i] = static_cast<char>(damaged[i] ^ 1 << bit);
      EXPECT_FALSE(keys_of_hot_set(damaged)) << i << " bit " << bit;
    }
    EXPECT_FALSE(keys_of_hot_set(file.substr(0, i))) << i;
  }
  EXPECT_FALSE(keys_of_hot_set(file + 'x'));
  EXPECT_FALSE(keys_of_hot_set(std::string(file.size(), '\0')));
}

TEST(HotSet, WhatIsNoUsersKeyIsRefusedThoughTheChecksumIsRight) {
  const auto one_key = [](const std::string& key) {
    std::string bytes = "MLRHOT01";
    put_length_prefixed(bytes, key);
    return checked(bytes);
  };
  EXPECT_TRUE(keys_of_hot_set(one_key(key_named("a") + std::string(1024, 's'))));
  EXPECT_FALSE(keys_of_hot_set(one_key(key_named("a", kCatalogGeneration))));
  EXPECT_FALSE(keys_of_hot_set(one_key("short")));
  EXPECT_FALSE(keys_of_hot_set(one_key("")));
  EXPECT_FALSE(keys_of_hot_set(one_key(key_named("a") + std::string(5000, 's'))));
  EXPECT_FALSE(keys_of_hot_set(one_key(key_named("a").substr(0, 18))));  // no partition key
  EXPECT_FALSE(keys_of_hot_set(checked("MLRHOT01\xff")));
  EXPECT_FALSE(keys_of_hot_set(checked("MLRHOT02")));
}

TEST(HotSet, ComesInPieces) {
  constexpr int kKeys = 20'000;
  HotSetBuilder builder(kPlenty);
  for (int i = 0; i < kKeys; ++i) builder.add(key_named(std::to_string(i)), i % 2);
  std::string file;
  int pieces = 0;
  for (; const auto piece = builder.take(); ++pieces) {
    EXPECT_LE(piece->size(), (64u << 10) + 100);
    file += *piece;
  }
  EXPECT_GT(pieces, 6);
  const std::vector<std::string> keys = keys_in(file);
  ASSERT_EQ(keys.size(), static_cast<size_t>(kKeys));
  for (int i = 0; i < kKeys; ++i)
    ASSERT_EQ(keys[i], key_named(std::to_string(i < kKeys / 2 ? 2 * i + 1 : 2 * i - kKeys)));
  EXPECT_FALSE(builder.take());
}

TEST(HotSet, AFileIsReplacedAsAWhole) {
  MemoryDisk disk(1u << 30);
  EXPECT_EQ(load_hot_set(disk, "d/hot-set").value(), "");
  const auto save = [&](std::vector<std::string> pieces) {
    HotSetFile file(disk, "d/hot-set");
    for (const std::string& piece : pieces) ASSERT_TRUE(file.append(piece));
    ASSERT_TRUE(file.finish());
  };
  save({"a long", "er one"});
  {
    HotSetFile unfinished(disk, "d/hot-set");
    ASSERT_TRUE(unfinished.append("half of one that is longer"));
    EXPECT_EQ(load_hot_set(disk, "d/hot-set").value(), "a longer one");
  }
  save({"short"});
  EXPECT_EQ(load_hot_set(disk, "d/hot-set").value(), "short");
  EXPECT_EQ(disk.list("d").value(), std::vector<std::string>{"hot-set"});
  save({std::string(kHotSetBytesMax + 1, 'x')});
  EXPECT_FALSE(load_hot_set(disk, "d/hot-set"));
}

}  // namespace
}  // namespace millrace::cache
