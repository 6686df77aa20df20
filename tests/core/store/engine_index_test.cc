// Index changes take effect with the change that they travel with, and only with it.

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/base/random.h"
#include "core/model/schema.h"
#include "core/store/engine.h"
#include "engine_disk_fixture.h"

namespace millrace {
namespace {

constexpr Generation kIndex = index_generation(kTable, 1);

// An index by the image's first byte. It has the item's image, its own, or none.
std::string entry_key(uint64_t n, const std::string& image) {
  std::string key;
  append_generation_prefix(kIndex, key);
  return key + image[0] + std::to_string(n);
}
std::string entry_image(uint64_t n, const std::string& image) {
  return n % 3 == 0 ? image : n % 3 == 1 ? "own " + image.substr(0, 1) : "";
}

class EngineIndexTest : public EngineDiskTest {
 protected:
  static void write(Commit& commit, uint64_t n, const std::optional<std::string>& image) {
    std::string old;
    auto found = commit.get(key_of(n), old);
    if (!found || (!*found && !image)) return;
    IndexChanges changes;
    if (*found && (!image || entry_key(n, old) != entry_key(n, *image))) {
      changes.remove(entry_key(n, old));
    }
    if (!image) {
      commit.remove(key_of(n), std::nullopt, changes);
      return;
    }
    if (n % 3 == 0) {
      changes.put_item(entry_key(n, *image));
    } else {
      changes.put(entry_key(n, *image), entry_image(n, *image));
    }
    commit.put(key_of(n), *image, *found, std::nullopt, changes);
  }
  std::map<std::string, std::string> contents(Generation generation) {
    std::map<std::string, std::string> items;
    std::string begin;
    append_generation_prefix(generation, begin);
    auto range = engine_->view()->range(begin, prefix_successor(begin), false);
    for (; range->valid(); range->next()) items.emplace(range->key(), range->image());
    EXPECT_TRUE(range->status());
    return items;
  }
  void check() {
    std::map<std::string, std::string> wanted;
    for (const auto& [key, image] : contents(kTable)) {
      const uint64_t n = std::stoull(std::string(split_store_key(key)->partition_scalar));
      wanted.emplace(entry_key(n, image), entry_image(n, image));
    }
    ASSERT_EQ(contents(kIndex), wanted);
  }
};

TEST_F(EngineIndexTest, AnEntryIsSeenExactlyWhenItsItemIs) {
  const ViewPtr before = engine_->view();
  ASSERT_TRUE(run([](Commit& commit) { write(commit, 1, "a"); }));
  std::string image;
  EXPECT_FALSE(*before->get(entry_key(1, "a"), image));
  EXPECT_TRUE(*engine_->view()->get(entry_key(1, "a"), image));
  EXPECT_EQ(image, "own a");
  ASSERT_TRUE(run([](Commit& commit) {
    write(commit, 1, "b");
    // A later command of the batch sees what is staged, entries too.
    std::string staged;
    EXPECT_TRUE(*commit.get(entry_key(1, "b"), staged));
    EXPECT_FALSE(*commit.get(entry_key(1, "a"), staged));
  }));
  check();
}

TEST_F(EngineIndexTest, IndexChangesHaveNoLsnOfTheirOwn) {
  const Lsn before = engine_->published_lsn();
  ASSERT_TRUE(run([](Commit& commit) {
    const Lsn next = commit.next_lsn();
    write(commit, 1, "a");
    EXPECT_EQ(commit.next_lsn(), next + 1);
  }));
  ASSERT_TRUE(run([](Commit& commit) { write(commit, 1, "b"); }));
  EXPECT_EQ(engine_->published_lsn(), before + 2);
}

TEST_F(EngineIndexTest, AfterAnyCrashTheIndexAgreesWithTheItems) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int crash = 0; crash < 60; ++crash) {
    if (random.one_in(2)) disk_.lose_power_after(random.below(100));
    for (int i = 0; i < 40; ++i) {
      // One change, or several in one entry.
      const uint64_t count = random.one_in(3) ? 3 : 1;
      std::map<uint64_t, std::optional<std::string>> writes;
      for (uint64_t n = 0; n < count; ++n) {
        std::optional<std::string> image;
        if (!random.one_in(4)) {
          image = std::string(1 + random.below(600), static_cast<char>('a' + random.below(4)));
        }
        writes[random.below(12)] = image;
      }
      static_cast<void>(run([&](Commit& commit) {
        for (const auto& [n, image] : writes) write(commit, n, image);
      }));
      if (random.one_in(3)) static_cast<void>(engine_->maintain());
      if (disk_.power_lost()) break;
    }
    // LevelDB may still be at work.
    disk_.lose_power_after(std::nullopt);
    if (!disk_.power_lost()) check();
    engine_.reset();
    disk_.crash(random);
    clock_.advance_s(1);
    open();
    check();
  }
}

}  // namespace
}  // namespace millrace
