#include "cache/item_cache.h"

#include <string>
#include <utility>
#include <vector>

#include "cache_fixture.h"

namespace millrace::cache {
namespace {

using Outcome = ReadCache::Outcome;

class ItemCacheTest : public ::testing::Test {
 protected:
  struct Found {
    Outcome outcome;
    std::string body;
    bool absent = false;
  };

  Found find(const std::string& key, Lsn published) {
    Found found;
    found.outcome = cache_->find(
        key, published, ItemForm::kWire,
        [&](const CachedAnswer& answer) {
          found.body = answer.bytes;
          found.absent = answer.absent;
          EXPECT_EQ(answer.crc32, crc32_of(answer.bytes));
        },
        [this] { ++resumed_; });
    return found;
  }
  Outcome outcome(const std::string& key, Lsn published) { return find(key, published).outcome; }
  /// What serves once the store could not be read; empty: nothing.
  std::string after_error(const std::string& key, Lsn published) {
    std::string body;
    const bool found =
        cache_->find_expired(key, published, ItemForm::kWire, [&](const CachedAnswer& answer) {
          body = answer.bytes;
          EXPECT_EQ(answer.crc32, crc32_of(answer.bytes));
        });
    EXPECT_EQ(found, !body.empty());
    return body;
  }
  /// Of this generation expired entries may serve for half a minute.
  void allow_expired(Generation generation) {
    cache_->set_policies(
        {{generation, {.item_ttl_s = 20, .negative_ttl_s = 20, .stale_if_error_s = 30}}});
  }
  /// The encoded item of a hit.
  std::string find_encoded(const std::string& key, Lsn published, uint32_t& item_bytes) {
    std::string item;
    EXPECT_EQ(cache_->find(
                  key, published, ItemForm::kEncoded,
                  [&](const CachedAnswer& answer) {
                    item = answer.bytes;
                    item_bytes = answer.item_bytes;
                  },
                  nullptr),
              Outcome::kHit);
    return item;
  }

  void fill(const std::string& key, const std::optional<std::string>& item, Lsn lsn) {
    cache_->fill(key, item ? std::optional(ItemView(*item)) : std::nullopt, lsn);
  }
  void put(const std::string& key, Lsn lsn, const std::string& item) {
    cache_->on_commit(frame_of(lsn, {{key, item}}));
  }
  void remove(const std::string& key, Lsn lsn) {
    cache_->on_commit(frame_of(lsn, {{key, std::nullopt}}));
  }
  void limit(size_t bytes_max) {
    cache_.emplace(ItemCacheOptions{.bytes_max = bytes_max, .policy = {}, .shards = 1}, clock_);
  }

  ManualClock clock_;
  std::optional<ItemCache> cache_{std::in_place, ItemCacheOptions{}, clock_};
  int resumed_ = 0;
  const std::string key_ = key_named("a");
};

TEST_F(ItemCacheTest, AMissThatIsFilledIsAHitOfTheWireReadyItem) {
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
  fill(key_, item_of(1), 10);
  for (int i = 0; i < 3; ++i) {
    const Found found = find(key_, 10);
    EXPECT_EQ(found.outcome, Outcome::kHit);
    EXPECT_EQ(found.body, R"({"Item":{"padding":{"S":""},"version":{"S":"1"}}})");
    EXPECT_FALSE(found.absent);
  }
  const ItemCacheStatistics statistics = cache_->statistics();
  EXPECT_EQ(statistics.hits, 3u);
  EXPECT_EQ(statistics.misses, 1u);
  EXPECT_EQ(statistics.fills, 1u);
  EXPECT_EQ(statistics.entries, 1u);
}

TEST_F(ItemCacheTest, AbsenceIsCachedWhetherReadOrRemoved) {
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
  fill(key_, std::nullopt, 10);
  EXPECT_EQ(find(key_, 10).body, "{}");
  EXPECT_TRUE(find(key_, 10).absent);
  put(key_, 11, item_of(11));
  EXPECT_EQ(find(key_, 11).body, wire_of(item_of(11)));
  remove(key_, 12);
  EXPECT_TRUE(find(key_, 12).absent);
}

TEST_F(ItemCacheTest, AWriteIsAHitOnceItIsPublishedAndNotBefore) {
  put(key_, 20, item_of(20));
  EXPECT_EQ(outcome(key_, 19), Outcome::kNewer);
  EXPECT_EQ(find(key_, 20).body, wire_of(item_of(20)));
}

TEST_F(ItemCacheTest, OfSeveralChangesInAFrameTheLastCounts) {
  cache_->on_commit(
      frame_of(5, {{key_, item_of(5)}, {key_named("b"), item_of(6)}, {key_, item_of(7)}}));
  EXPECT_EQ(find(key_, 7).body, wire_of(item_of(7)));
  EXPECT_EQ(outcome(key_, 6), Outcome::kNewer);
  EXPECT_EQ(find(key_named("b"), 7).body, wire_of(item_of(6)));
}

TEST_F(ItemCacheTest, ASlowFillLosesToAWriteSinceItsView) {
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
  put(key_, 11, item_of(11));
  fill(key_, item_of(1), 10);
  EXPECT_EQ(find(key_, 11).body, wire_of(item_of(11)));
  EXPECT_EQ(cache_->statistics().fills_refused, 1u);
}

TEST_F(ItemCacheTest, ASlowFillLosesToAWriteThatWasTooLargeToKeep) {
  limit(8000);
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
  put(key_, 11, item_of(11, 5000));
  fill(key_, item_of(1), 10);
  EXPECT_EQ(outcome(key_, 11), Outcome::kMiss);
  fill(key_, item_of(2), 11);  // a view that has the write
  EXPECT_EQ(outcome(key_, 11), Outcome::kHit);
}

TEST_F(ItemCacheTest, ASlowFillLosesToAWriteThatWasEvicted) {
  limit(4000);
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
  put(key_, 11, item_of(11));
  for (Lsn lsn = 12; lsn < 100; ++lsn) put(key_named(std::to_string(lsn)), lsn, item_of(lsn));
  fill(key_, item_of(1), 10);
  EXPECT_EQ(outcome(key_, 99), Outcome::kMiss);
  EXPECT_GT(cache_->statistics().evictions, 0u);
}

TEST_F(ItemCacheTest, ASlowFillLosesToAWriteThatExpired) {
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
  put(key_, 11, item_of(11));
  clock_.advance_s(301);
  EXPECT_EQ(outcome(key_, 11), Outcome::kWaiting);
  fill(key_, item_of(1), 10);
  EXPECT_EQ(resumed_, 1);
  EXPECT_NE(outcome(key_, 11), Outcome::kHit);
}

TEST_F(ItemCacheTest, ASlowFillLosesToAWriteThatWasCleared) {
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
  put(key_, 11, item_of(11));
  cache_->clear();
  fill(key_, item_of(1), 10);
  EXPECT_EQ(outcome(key_, 11), Outcome::kMiss);
}

TEST_F(ItemCacheTest, AWriteTooLargeToKeepTakesTheOldItemOut) {
  limit(8000);
  put(key_, 1, item_of(1));
  EXPECT_EQ(outcome(key_, 1), Outcome::kHit);
  put(key_, 2, item_of(2, 5000));
  EXPECT_EQ(outcome(key_, 2), Outcome::kMiss);
}

TEST_F(ItemCacheTest, AnItemThatIsTooLargeOnlyAsJsonStaysAsItIs) {
  limit(8000);
  ItemTree tree;
  tree["text"] = Value::string(std::string(1200, '\x01'));  // six bytes each in JSON
  const std::string item = encode_item(tree);
  put(key_, 1, item);
  for (int i = 0; i < 2; ++i) {
    const Found found = find(key_, 1);
    EXPECT_EQ(found.outcome, Outcome::kHit);
    EXPECT_EQ(found.body, wire_of(item));
  }
  EXPECT_EQ(cache_->statistics().entries, 1u);
  put(key_, 2, item_of(2));
  EXPECT_EQ(find(key_, 2).body, wire_of(item_of(2)));
}

TEST_F(ItemCacheTest, AFillSaysWhetherItsItemFits) {
  limit(8000);
  EXPECT_EQ(outcome(key_, 1), Outcome::kMiss);
  EXPECT_FALSE(cache_->fill(key_, ItemView(item_of(1, 5000)), 1));
  EXPECT_EQ(outcome(key_, 1), Outcome::kMiss);
  EXPECT_TRUE(cache_->fill(key_, ItemView(item_of(1)), 1));
  EXPECT_EQ(outcome(key_, 1), Outcome::kHit);
}

TEST_F(ItemCacheTest, ConcurrentMissesShareOneRead) {
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(outcome(key_, 10), Outcome::kWaiting);
  EXPECT_EQ(resumed_, 0);
  fill(key_, item_of(1), 10);
  EXPECT_EQ(resumed_, 5);
  EXPECT_EQ(outcome(key_, 10), Outcome::kHit);
  EXPECT_EQ(cache_->statistics().waits, 5u);
}

TEST_F(ItemCacheTest, ResumedReadersMayLookAgainAtOnce) {
  std::vector<Outcome> again;
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
  for (int i = 0; i < 3; ++i) {
    cache_->find(
        key_, 10, ItemForm::kWire, [](const CachedAnswer&) {},
        [&] { again.push_back(outcome(key_, 10)); });
  }
  fill(key_, item_of(1), 10);
  EXPECT_THAT(again, ::testing::Each(Outcome::kHit));
  EXPECT_EQ(again.size(), 3u);
}

TEST_F(ItemCacheTest, AfterAnAbandonedReadItsWaitersReadForThemselvesAllAtOnce) {
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(outcome(key_, 10), Outcome::kWaiting);
  cache_->abandon(key_);
  EXPECT_EQ(resumed_, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(outcome(key_, 10), Outcome::kBusy);
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
}

TEST_F(ItemCacheTest, AfterARefusedFillItsWaitersReadForThemselves) {
  limit(8000);
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
  EXPECT_EQ(outcome(key_, 10), Outcome::kWaiting);
  fill(key_, item_of(1, 5000), 10);
  EXPECT_EQ(resumed_, 1);
  EXPECT_EQ(outcome(key_, 10), Outcome::kBusy);
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
}

TEST_F(ItemCacheTest, EntriesExpireALittleBeforeTheTtlAtTheLatest) {
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) {
    keys.push_back(key_named(std::to_string(i)));
    fill(keys.back(), item_of(1), 1);
  }
  const auto hits = [&] {
    int count = 0;
    for (const std::string& key : keys) count += outcome(key, 1) == Outcome::kHit;
    return count;
  };
  clock_.advance_s(260);
  EXPECT_EQ(hits(), 100);
  clock_.advance_s(20);
  const int half = hits();
  EXPECT_GT(half, 0);
  EXPECT_LT(half, 100);
  clock_.advance_s(21);
  EXPECT_EQ(hits(), 0);
  EXPECT_EQ(cache_->statistics().expirations, 100u);
}

TEST_F(ItemCacheTest, AfterAnErrorAnExpiredEntryServesWithinItsTablesBound) {
  constexpr Generation kBounded = 5000;
  allow_expired(kBounded);
  const std::string key = key_named("a", kBounded), none = key_named("b", kBounded);
  put(key, 5, item_of(5));
  remove(none, 6);
  put(key_, 7, item_of(7));
  clock_.advance_s(20);
  EXPECT_EQ(outcome(key, 7), Outcome::kMissExpired);
  cache_->abandon(key);
  EXPECT_EQ(after_error(key, 7), wire_of(item_of(5)));
  EXPECT_EQ(after_error(none, 7), "{}");
  EXPECT_EQ(after_error(key, 4), "") << "it is newer than what is asked for";
  EXPECT_EQ(outcome(key, 7), Outcome::kMissExpired) << "the next one tries the store first";
  cache_->abandon(key);
  clock_.advance_s(27);
  EXPECT_EQ(after_error(key, 7), wire_of(item_of(5)));
  EXPECT_EQ(cache_->statistics().stale_answers, 3u);
  EXPECT_EQ(cache_->statistics().hits, 0u);
  clock_.advance_s(3);
  EXPECT_EQ(after_error(key, 7), "");
  EXPECT_EQ(after_error(key_, 7), wire_of(item_of(7))) << "it has not expired";
  clock_.advance_s(250);
  EXPECT_EQ(after_error(key_, 7), "") << "its table has no bound";
}

TEST_F(ItemCacheTest, AnEntryThatHasExpiredIsToldOfChanges) {
  allow_expired(kTestGeneration);
  put(key_, 5, item_of(5));
  clock_.advance_s(20);
  EXPECT_EQ(outcome(key_, 5), Outcome::kMissExpired);
  put(key_, 6, item_of(6));
  EXPECT_EQ(after_error(key_, 5), "");
  EXPECT_EQ(find(key_, 6).body, wire_of(item_of(6)));
  clock_.advance_s(20);
  remove(key_, 7);
  clock_.advance_s(20);
  EXPECT_EQ(after_error(key_, 7), "{}");
  cache_->clear(key_);
  EXPECT_EQ(after_error(key_, 7), "");
}

TEST_F(ItemCacheTest, AFillTakesThePlaceOfAnExpiredEntryUnlessItIsOlder) {
  allow_expired(kTestGeneration);
  put(key_, 5, item_of(5));
  clock_.advance_s(20);
  EXPECT_EQ(outcome(key_, 6), Outcome::kMissExpired);
  fill(key_, item_of(5), 6);
  EXPECT_EQ(find(key_, 6).body, wire_of(item_of(5)));
  EXPECT_EQ(cache_->statistics().expirations, 1u);

  put(key_, 9, item_of(9));
  clock_.advance_s(20);
  EXPECT_EQ(outcome(key_, 9), Outcome::kMissExpired);
  fill(key_, item_of(5), 8);
  EXPECT_EQ(outcome(key_, 9), Outcome::kMiss);
  EXPECT_EQ(after_error(key_, 9), "");
}

TEST_F(ItemCacheTest, SystemTablesAreNotCached) {
  const std::string system_key = key_named("a", kCheckpointGeneration);
  cache_->on_commit(frame_of(1, {{system_key, item_of(1)}}));
  EXPECT_EQ(outcome(system_key, 1), Outcome::kOff);
  fill(system_key, item_of(1), 1);
  cache_->abandon(system_key);
  EXPECT_EQ(outcome(system_key, 1), Outcome::kOff);
  EXPECT_EQ(outcome("", 1), Outcome::kOff);
  EXPECT_EQ(cache_->statistics().entries, 0u);
}

TEST_F(ItemCacheTest, GenerationsDoNotMix) {
  put(key_named("a", 5000), 1, item_of(1));
  EXPECT_EQ(outcome(key_named("a", 5001), 1), Outcome::kMiss);
}

TEST_F(ItemCacheTest, TheLimitInBytesHoldsAndEntriesCostAHundredBytesAtMostBesideTheirContent) {
  for (size_t limit_bytes : {size_t{1} << 20, size_t{8} << 20}) {
    cache_.emplace(ItemCacheOptions{.bytes_max = limit_bytes, .policy = {}, .shards = 0}, clock_);
    size_t content = 0;
    for (Lsn lsn = 1; lsn <= 20'000; ++lsn) {
      const std::string key = key_named("customer-" + std::to_string(lsn));
      const std::string item = item_of(lsn, 1200);
      content = key.size() + item.size();
      put(key, lsn, item);
    }
    const ItemCacheStatistics statistics = cache_->statistics();
    EXPECT_LE(statistics.bytes, limit_bytes);
    EXPECT_GT(statistics.bytes, limit_bytes * 9 / 10);
    EXPECT_LE(statistics.bytes / statistics.entries, content + 100);
    EXPECT_EQ(statistics.entries + statistics.evictions, 20'000u);
  }
}

TEST_F(ItemCacheTest, EveryFormOfAnItemIsServedWhicheverIsStored) {
  const std::string item = item_of(1, 300);
  uint32_t item_bytes = 0;
  put(key_, 1, item);
  EXPECT_EQ(find_encoded(key_, 1, item_bytes), item);
  EXPECT_EQ(item_bytes, charged_size(ItemView(item)));
  EXPECT_EQ(find(key_, 1).body, wire_of(item));  // wire-ready from here on
  item_bytes = 0;
  EXPECT_EQ(find_encoded(key_, 1, item_bytes), item);
  EXPECT_EQ(item_bytes, charged_size(ItemView(item)));
  remove(key_, 2);
  EXPECT_EQ(find_encoded(key_, 2, item_bytes), "");
  EXPECT_EQ(item_bytes, 0u);
}

TEST_F(ItemCacheTest, TheCommitterKnowsWhatIsCachedInAnyForm) {
  std::string image;
  EXPECT_EQ(cache_->known(key_, image), std::nullopt);
  const std::string item = item_of(1, 300);
  put(key_, 1, item);
  EXPECT_EQ(cache_->known(key_, image), true);
  EXPECT_EQ(image, item);
  find(key_, 1);
  image.clear();
  EXPECT_EQ(cache_->known(key_, image), true);
  EXPECT_EQ(image, item);
  remove(key_, 2);
  EXPECT_EQ(cache_->known(key_, image), false);
}

TEST_F(ItemCacheTest, WhoCannotWaitReadsWhileAnotherReads) {
  EXPECT_EQ(outcome(key_, 10), Outcome::kMiss);
  EXPECT_EQ(cache_->find(
                key_, 10, ItemForm::kWire, [](const CachedAnswer&) {}, nullptr),
            Outcome::kBusy);
  EXPECT_EQ(outcome(key_, 10), Outcome::kWaiting);
}

TEST_F(ItemCacheTest, ATableIsCachedByItsPolicy) {
  constexpr Generation kOff = 5000, kBrief = 5001, kOnRead = 5002;
  cache_->set_policies({{kOff, {.enabled = false}},
                        {kBrief, {.item_ttl_s = 20, .negative_ttl_s = 5}},
                        {kOnRead, {.admission = Admission::kOnRead}}});
  put(key_named("a", kOff), 1, item_of(1));
  EXPECT_EQ(outcome(key_named("a", kOff), 1), Outcome::kOff);

  put(key_named("a", kOnRead), 1, item_of(1));
  EXPECT_EQ(outcome(key_named("a", kOnRead), 1), Outcome::kMiss);
  fill(key_named("a", kOnRead), item_of(0), 0);  // slow: the write is newer
  EXPECT_EQ(outcome(key_named("a", kOnRead), 1), Outcome::kMiss);
  fill(key_named("a", kOnRead), item_of(1), 1);
  put(key_named("a", kOnRead), 2, item_of(2));
  EXPECT_EQ(find(key_named("a", kOnRead), 2).body, wire_of(item_of(2)));

  put(key_named("a", kBrief), 3, item_of(3));
  remove(key_named("b", kBrief), 4);
  put(key_, 5, item_of(5));
  clock_.advance_s(6);
  EXPECT_EQ(outcome(key_named("a", kBrief), 5), Outcome::kHit);
  EXPECT_EQ(outcome(key_named("b", kBrief), 5), Outcome::kMissExpired);
  clock_.advance_s(15);
  EXPECT_EQ(outcome(key_named("a", kBrief), 5), Outcome::kMissExpired);
  EXPECT_EQ(outcome(key_, 5), Outcome::kHit);
}

TEST_F(ItemCacheTest, AKeyATableOrAllIsDropped) {
  for (Generation generation : {5000, 5001}) {
    for (const char* name : {"a", "b", "c"}) fill(key_named(name, generation), item_of(1), 1);
  }
  EXPECT_EQ(cache_->clear(key_named("a", 5000)), 1u);
  EXPECT_EQ(cache_->clear(key_named("a", 5000)), 0u);
  EXPECT_EQ(outcome(key_named("a", 5000), 1), Outcome::kMiss);
  EXPECT_EQ(outcome(key_named("b", 5000), 1), Outcome::kHit);
  EXPECT_EQ(cache_->clear(Generation{5000}), 2u);
  EXPECT_EQ(outcome(key_named("b", 5000), 1), Outcome::kMiss);
  EXPECT_EQ(outcome(key_named("b", 5001), 1), Outcome::kHit);
  EXPECT_EQ(cache_->clear(), 3u);
  EXPECT_EQ(cache_->statistics().entries, 0u);
}

TEST_F(ItemCacheTest, EachTablesShareIsCounted) {
  limit(64 << 10);
  for (Lsn lsn = 1; lsn <= 200; ++lsn) {
    put(key_named(std::to_string(lsn), 5000 + lsn % 2), lsn, item_of(lsn, 1000));
    find(key_named(std::to_string(lsn), 5000 + lsn % 2), lsn);
  }
  const TableShares shares = cache_->table_shares();
  const ItemCacheStatistics statistics = cache_->statistics();
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_EQ(shares.at(5000).entries + shares.at(5001).entries, statistics.entries);
  EXPECT_GT(shares.at(5000).bytes, shares.at(5000).entries * 1000);
  EXPECT_LT(shares.at(5000).bytes + shares.at(5001).bytes, statistics.bytes);
  cache_->clear(Generation{5000});
  EXPECT_EQ(cache_->table_shares().size(), 1u);
}

TEST_F(ItemCacheTest, AnIdleCacheHoldsNothing) { EXPECT_EQ(cache_->statistics().bytes, 0u); }

TEST_F(ItemCacheTest, TheHottestKeysAreNamedWithTheirReadsAndWrites) {
  constexpr Generation kOther = kTestGeneration + 1;
  const std::string hottest = key_named("hottest"), other = key_named("other", kOther);
  Lsn lsn = 10;
  fill(hottest, item_of(1), lsn);
  for (int i = 0; i < 20'000; ++i) {
    outcome(hottest, lsn);
    if (i % 2 == 0) put(other, ++lsn, item_of(1));
    outcome(key_named("cold" + std::to_string(i)), lsn);
  }
  const HotKeysReport all = cache_->hot_keys(2, [](Generation) { return true; });
  ASSERT_EQ(all.keys.size(), 2u);
  EXPECT_EQ(all.keys[0].key, hottest);
  EXPECT_NEAR(static_cast<double>(all.keys[0].reads), 20'000, 2000);
  EXPECT_EQ(all.keys[0].writes, 0u);
  EXPECT_EQ(all.keys[1].key, other);
  EXPECT_NEAR(static_cast<double>(all.keys[1].writes), 10'000, 1500);
  EXPECT_EQ(all.keys[1].reads, 0u);
  EXPECT_NEAR(static_cast<double>(all.requests), 50'000, 3500);
  // What is not asked for takes no place.
  const HotKeysReport of_other =
      cache_->hot_keys(1, [](Generation generation) { return generation == kOther; });
  ASSERT_EQ(of_other.keys.size(), 1u);
  EXPECT_EQ(of_other.keys[0].key, other);
}

TEST_F(ItemCacheTest, AHotPartitionIsNamedThoughNoneOfItsKeysIsHot) {
  constexpr Generation kIndex = kTestGeneration + 1;
  const std::string crowded = key_named("crowded"), queried = key_named("queried", kIndex);
  Lsn lsn = 10;
  for (int i = 0; i < 10'000; ++i) {
    const std::string sort = std::to_string(i);
    outcome(crowded + sort, lsn);
    put(crowded + sort, ++lsn, item_of(1));
    cache_->note_query(queried + sort);
    outcome(key_named("cold" + sort), lsn);
  }
  const HotKeysReport all = cache_->hot_partitions(2, [](Generation) { return true; });
  ASSERT_EQ(all.keys.size(), 2u);
  EXPECT_EQ(all.keys[0].key, crowded);
  EXPECT_NEAR(static_cast<double>(all.keys[0].reads), 10'000, 1500);
  EXPECT_NEAR(static_cast<double>(all.keys[0].writes), 10'000, 1500);
  EXPECT_EQ(all.keys[1].key, queried);
  EXPECT_NEAR(static_cast<double>(all.keys[1].reads), 10'000, 1500);
  EXPECT_EQ(all.keys[1].writes, 0u);
  EXPECT_NEAR(static_cast<double>(all.requests), 40'000, 3500);
  // A Query is no request for a key.
  const HotKeysReport keys = cache_->hot_keys(1000, [](Generation) { return true; });
  EXPECT_NEAR(static_cast<double>(keys.requests), 30'000, 3000);
  for (const HotKey& hot : keys.keys) EXPECT_LT(hot.requests(), 500u);
  const HotKeysReport of_index =
      cache_->hot_partitions(9, [](Generation generation) { return generation == kIndex; });
  ASSERT_EQ(of_index.keys.size(), 1u);
  EXPECT_EQ(of_index.keys[0].key, queried);
}

}  // namespace
}  // namespace millrace::cache
