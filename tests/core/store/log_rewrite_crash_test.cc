#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <thread>

#include "core/base/random.h"
#include "log_rewrite_fixture.h"

namespace millrace {
namespace {

// Power fails at every write, sync and change of names in turn.
TEST_F(LogRewriteTest, PowerMayFailAtEveryStep) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (uint64_t round = 0; round < 8; ++round) {
    bool finished = false;
    for (uint64_t operations = 0; !finished; ++operations) {
      Random random(seed + round * 1000 + operations);
      disk_.~SimDisk();
      new (&disk_) sim::SimDisk();
      frames_.clear();
      options_.spare_segments = round % 3;
      ASSERT_NO_FATAL_FAILURE(open());
      fill(5);
      const LogCheckpoint checkpoint = last_checkpoint();
      LogRewriter rewriter(*log_);
      disk_.lose_power_after(operations);
      Result<bool> more = true;
      while (more && *more) more = rewriter.step(needs(only(kQuiet), log_->durable_lsn()));
      // What has been given back is written anew.
      if (more && random.one_in(2)) {
        for (int i = 0; i < 40 && !disk_.power_lost(); ++i) {
          (void)log_->append(build(log_->next_lsn(), 500));
        }
      }
      finished = !disk_.power_lost();
      disk_.crash(random);
      ASSERT_NO_FATAL_FAILURE(open(checkpoint)) << operations;
      ASSERT_EQ(lsns(read_all(kFirst), kQuiet), appended(kQuiet)) << operations;
      for (const std::string& name : files()) EXPECT_FALSE(name.starts_with("unfinished")) << name;
      rewrite_all(only(kQuiet));
      ASSERT_EQ(lsns(read_all(kFirst), kQuiet), appended(kQuiet)) << operations;
    }
  }
}

/// Readers that need their generations from their positions on, beside appending, trimming,
/// rewriting, and power failures.
class LogRewriteModelTest : public LogRewriteTest {
 protected:
  struct Reader {
    std::set<uint64_t> generations;
    Lsn next = kFirst;
    std::optional<LogCursor> cursor;
  };

  void run(uint64_t seed) {
    Random random(seed);
    rewriter_.reset();
    readers_.clear();
    checkpoint_.reset();
    frames_.clear();
    disk_.~SimDisk();
    new (&disk_) sim::SimDisk();
    options_.segment_bytes = (3 + random.below(6)) * 4096;
    options_.first_segment_bytes = 4096;
    options_.tail_bytes = random.one_in(2) ? 1 : 6000;
    options_.spare_segments = random.below(3);
    ASSERT_NO_FATAL_FAILURE(open());
    for (uint64_t i = 0; i < 1 + random.below(3); ++i) {
      Reader& reader = readers_.emplace_back();
      for (uint64_t count = 1 + random.below(2); count > 0; --count) {
        reader.generations.insert(2000 + random.below(kGenerations));
      }
    }
    for (int life = 0; life < 4; ++life) {
      rewriter_.emplace(*log_);
      disk_.lose_power_after(40 + random.below(400));
      for (int i = 0; i < 2000 && !disk_.power_lost(); ++i) ASSERT_NO_FATAL_FAILURE(work(random));
      ASSERT_NO_FATAL_FAILURE(restart(random));
      if (HasFailure()) return;
    }
  }

  void work(Random& random) {
    const uint64_t choice = random.below(20);
    if (choice < 9) {
      append_one(random);
    } else if (choice < 10) {
      (void)log_->prepare_spare();
    } else if (choice < 12) {
      checkpoint(random);
    } else if (choice < 16) {
      auto more = rewriter_->step([this] { return needs_now(); });
      ASSERT_TRUE(more || disk_.power_lost()) << more.error().message;
    } else if (choice < 19) {
      read(readers_[random.below(readers_.size())], 1 + random.below(20));
    } else if (!frames_.empty()) {
      look_up(frames_[random.below(frames_.size())]);
    }
  }

  void append_one(Random& random) {
    const bool gap = !frames_.empty() && random.one_in(10);
    FrameBuilder builder(log_->next_lsn() + (gap ? random.below(100) : 0));
    for (uint64_t entries = 1 + random.below(3); entries > 0; --entries) {
      builder.begin_entry(static_cast<int64_t>(builder.next_lsn()));
      for (uint64_t changes = 1 + (random.one_in(4) ? random.below(3) : 0); changes > 0;
           --changes) {
        std::string key;
        put_big_endian64(key, 2000 + (random.one_in(6) ? random.below(kGenerations) : 0));
        builder.add_change(ChangeKind::kInsert, key + std::to_string(random.next()),
                           std::string(random.below(900), 'v'), std::nullopt);
      }
      builder.end_entry();
    }
    if (auto frame = log_->append(std::move(builder))) frames_.push_back(*frame);
  }

  void checkpoint(Random& random) {
    if (frames_.empty()) return;
    const FramePtr& frame =
        frames_[frames_.size() - 1 - random.below(std::min<size_t>(frames_.size(), 10))];
    if (checkpoint_ && frame->last_lsn() < checkpoint_->lsn) return;
    checkpoint_ = *log_->checkpoint_at(frame);
    Lsn pin = checkpoint_->lsn + 1;
    for (const Reader& reader : readers_) pin = std::min(pin, reader.next);
    if (random.one_in(4)) (void)log_->trim(pin);
  }

  LogNeeds needs_now() const {
    std::vector<std::pair<std::set<uint64_t>, Lsn>> readers;
    LogNeeds needs;
    needs.below = checkpoint_ ? checkpoint_->lsn : 0;
    needs.settled = kAll;
    for (const Reader& reader : readers_) {
      readers.emplace_back(reader.generations, reader.next);
      needs.settled = std::min(needs.settled, reader.next);
    }
    needs.needed = [readers](uint64_t generation, Lsn lsn) {
      return std::any_of(readers.begin(), readers.end(), [&](const auto& reader) {
        return reader.first.contains(generation) && lsn >= reader.second;
      });
    };
    return needs;
  }

  void read(Reader& reader, uint64_t frames) {
    if (!reader.cursor) reader.cursor.emplace(*log_, reader.next);
    for (; frames > 0; --frames) {
      auto frame = reader.cursor->next();
      if (!frame && disk_.power_lost()) return;
      ASSERT_TRUE(frame) << frame.error().message;
      for (const LeftOut& left_out : reader.cursor->take_left_out()) {
        ASSERT_FALSE(reader.generations.contains(left_out.generation))
            << "LSN " << left_out.last_lsn << " was left out, position " << reader.next;
      }
      if (!*frame) return;
      // Exactly the reader's changes between its position and the frame's end.
      const std::vector<Lsn> expected = wanted(reader, frames_, reader.next, (*frame)->last_lsn());
      ASSERT_EQ(wanted(reader, {*frame}, reader.next, kAll), expected);
      reader.next = (*frame)->last_lsn() + 1;
    }
  }

  static std::vector<Lsn> wanted(const Reader& reader, const std::vector<FramePtr>& frames,
                                 Lsn from, Lsn through) {
    std::vector<Lsn> result;
    auto frame = std::partition_point(frames.begin(), frames.end(),
                                      [from](const auto& it) { return it->last_lsn() < from; });
    for (; frame != frames.end() && (*frame)->first_lsn() <= through; ++frame) {
      for (const EntryView& entry : **frame) {
        for (const ChangeView& change : entry) {
          if (change.lsn < from || change.lsn > through) continue;
          if (reader.generations.contains(generation_of(change))) result.push_back(change.lsn);
        }
      }
    }
    return result;
  }

  void look_up(const FramePtr& frame) {
    auto found = log_->frame_at(frame->position());
    if (found) {
      ASSERT_EQ((*found)->bytes(), frame->bytes());
    } else if (!disk_.power_lost()) {
      ASSERT_TRUE(found.error().code == ErrorCode::kMoved ||
                  found.error().code == ErrorCode::kTrimmed)
          << found.error().message;
    }
  }

  void restart(Random& random) {
    rewriter_.reset();
    for (Reader& reader : readers_) reader.cursor.reset();
    disk_.crash(random);
    while (random.one_in(3)) {
      disk_.lose_power_after(random.below(8));
      (void)try_open(checkpoint_);
      disk_.crash(random);
    }
    ASSERT_NO_FATAL_FAILURE(open(checkpoint_));
    // A frame in flight may have become durable.
    const Lsn last = frames_.empty() ? kFirst - 1 : frames_.back()->last_lsn();
    if (log_->durable_lsn() > last) {
      LogCursor cursor(*log_, last + 1);
      auto frame = cursor.next();
      ASSERT_TRUE(frame && *frame);
      frames_.push_back(*frame);
    }
    ASSERT_EQ(log_->durable_lsn(), frames_.empty() ? kFirst - 1 : frames_.back()->last_lsn());
    for (Reader& reader : readers_) {
      Reader to_the_end = {reader.generations, reader.next, std::nullopt};
      ASSERT_NO_FATAL_FAILURE(read(to_the_end, UINT64_MAX));
      ASSERT_TRUE(wanted(to_the_end, frames_, to_the_end.next, kAll).empty());
    }
  }

  static constexpr uint64_t kGenerations = 5;
  std::optional<LogRewriter> rewriter_;
  std::vector<Reader> readers_;
  std::optional<LogCheckpoint> checkpoint_;
};

TEST_F(LogRewriteModelTest, EveryNeededChangeIsReadExactlyOnce) {
  const uint64_t seed = random_seed();
  for (uint64_t round = 0; round < 400; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed + round));
    ASSERT_NO_FATAL_FAILURE(run(seed + round));
    if (HasFailure()) return;
  }
}

TEST_F(LogRewriteTest, ReadersOnOtherThreadsMissNothing) {
  options_.tail_bytes = 1000;
  open();
  append_entries({{kQuiet}});
  std::atomic<bool> done{false};
  std::atomic<Lsn> oldest_read{kFirst};
  const auto read = [&](bool looks_up) {
    std::vector<Lsn> seen;
    LogCursor cursor(*log_, kFirst);
    for (;;) {
      const bool last_round = done;
      auto frame = cursor.next();
      ASSERT_TRUE(frame) << frame.error().message;
      for (const LeftOut& left_out : cursor.take_left_out()) {
        ASSERT_NE(left_out.generation, kQuiet);
      }
      if (!*frame) {
        if (last_round) break;
        std::this_thread::yield();
        continue;
      }
      for (Lsn lsn : lsns({*frame}, kQuiet)) seen.push_back(lsn);
      if (!looks_up) continue;
      auto found = log_->frame_at((*frame)->position());
      ASSERT_TRUE(found || found.error().code == ErrorCode::kMoved) << found.error().message;
      ASSERT_TRUE(!found || (*found)->bytes() == (*frame)->bytes());
    }
    ASSERT_EQ(seen, appended(kQuiet));
  };
  std::thread first(read, false), second(read, true);
  std::thread rewriting([&] {
    LogRewriter rewriter(*log_);
    while (!done) {
      const auto segments = log_->segments();
      auto more = rewriter.step(needs(only(kQuiet), segments.back().first_lsn));
      ASSERT_TRUE(more) << more.error().message;
      if (!*more) std::this_thread::yield();
    }
  });
  fill(60);
  // However the threads are run, some segments are rewritten beside the readers.
  for (size_t more = 61; more < 3000 && log_->rewrite_statistics().segments <= 3; ++more) {
    fill(more);
    std::this_thread::yield();
  }
  done = true;
  first.join();
  second.join();
  rewriting.join();
  EXPECT_GT(log_->rewrite_statistics().segments, 3u);
}

}  // namespace
}  // namespace millrace
