#include "core/store/memory_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "core/base/random.h"

namespace millrace {
namespace {

using Model = std::map<std::string, std::map<Lsn, std::optional<std::string>>>;

std::optional<std::optional<std::string>> newest(const Model& model, const std::string& key,
                                                 Lsn lsn) {
  auto versions = model.find(key);
  if (versions == model.end()) return std::nullopt;
  auto it = versions->second.upper_bound(lsn);
  if (it == versions->second.begin()) return std::nullopt;
  return std::prev(it)->second;
}

TEST(MemoryTable, AnswersLikeAModelAtEveryLsn) {
  uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  MemoryTable table;
  Model model;
  constexpr Lsn kLsns = 3000;
  for (Lsn lsn = 1; lsn <= kLsns; ++lsn) {
    // One of them has far more versions than a walk passes one by one.
    std::string key = "key" + std::to_string(random.one_in(3) ? 77 : random.below(200));
    std::optional<std::string> image;
    if (!random.one_in(4)) image = std::string(random.below(50), 'x') + std::to_string(lsn);
    table.insert(key, lsn, image);
    model[key][lsn] = image;
  }
  for (int i = 0; i < 2000; ++i) {
    std::string key = "key" + std::to_string(random.below(220));
    Lsn lsn = random.below(kLsns + 100);
    auto expected = newest(model, key, lsn);
    auto actual = table.get(key, lsn);
    ASSERT_EQ(actual.has_value(), expected.has_value());
    if (expected) {
      ASSERT_EQ(actual->image.has_value(), expected->has_value());
      if (*expected) {
        ASSERT_EQ(*actual->image, **expected);
      }
    }
  }
  for (Lsn lsn : {Lsn{0}, Lsn{1}, Lsn{100}, kLsns / 2, kLsns}) {
    std::vector<std::string> expected;
    for (const auto& [key, versions] : model) {
      if (newest(model, key, lsn)) expected.push_back(key);
    }
    std::vector<std::string> forward;
    MemoryTable::Walk walk(table, lsn);
    for (walk.seek(""); walk.valid(); walk.next()) forward.emplace_back(walk.key());
    EXPECT_EQ(forward, expected);
    std::vector<std::string> backward;
    for (walk.seek_before(""); walk.valid(); walk.previous()) backward.emplace_back(walk.key());
    std::reverse(expected.begin(), expected.end());
    EXPECT_EQ(backward, expected);
  }
}

TEST(MemoryTable, ReadersBesideTheWriterSeeWholeVersions) {
  MemoryTable table;
  std::atomic<Lsn> published{0};
  constexpr Lsn kLsns = 20000;
  std::vector<std::thread> readers;
  std::atomic<uint64_t> wrong{0};
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&, r] {
      Random random(static_cast<uint64_t>(r));
      for (Lsn lsn = 0; lsn < kLsns;) {
        lsn = published.load(std::memory_order_acquire);
        if (lsn < 100) continue;
        uint64_t k = random.below(100);
        // Key k is written at every LSN that is k modulo 100.
        Lsn expected = lsn - (lsn % 100 + 100 - k) % 100;
        auto version = table.get(std::to_string(k), lsn);
        if (!version || version->lsn != expected || *version->image != std::to_string(expected)) {
          wrong.fetch_add(1);
        }
      }
    });
  }
  for (Lsn lsn = 1; lsn <= kLsns; ++lsn) {
    table.insert(std::to_string(lsn % 100), lsn, std::to_string(lsn));
    published.store(lsn, std::memory_order_release);
  }
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0u);
}

}  // namespace
}  // namespace millrace
