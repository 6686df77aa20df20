#include "core/store/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cctype>
#include <filesystem>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "core/base/random.h"
#include "core/model/schema.h"
#include "engine_fixture.h"

namespace millrace {
namespace {

constexpr Generation kTable = kFirstUserGeneration;

std::string key_of(uint64_t n) {
  std::string key;
  append_partition_prefix(kTable, "k" + std::to_string(n), key);
  return key;
}

// Calls functions in place of an operation's evaluation and answer.
class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "engine-" + std::to_string(::getpid()) + "-" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    options_.folder = folder_;
    options_.memory_table_bytes = 64 << 10;
    options_.memory_tables_bytes_max = 256 << 10;
    options_.checkpoint_bytes = 128 << 10;
    options_.log.segment_bytes = 256 << 10;
    options_.log.first_segment_bytes = 64 << 10;
    open();
  }
  void TearDown() override {
    engine_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open() {
    engine_.reset();
    auto engine = Engine::open(options_, disk_, leveldb::Env::Default(), clock_);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = *std::move(engine);
  }
  void run(std::function<void(Commit&)> evaluate) {
    bool done = false;
    auto command = std::unique_ptr<Command>(
        std::make_unique<Lambda>(std::move(evaluate), [&](const Status& status) {
          EXPECT_TRUE(status);
          done = true;
        }));
    ASSERT_TRUE(engine_->submit(std::move(command)));
    while (!done) {
      engine_->step();
      if (!done) {
        ASSERT_TRUE(engine_->maintain());
      }
    }
  }
  void put(uint64_t n, std::string image) {
    run([&](Commit& commit) {
      std::string old;
      auto found = commit.get(key_of(n), old);
      ASSERT_TRUE(found);
      commit.put(key_of(n), image, *found, std::nullopt);
    });
  }
  std::map<std::string, std::string> contents(bool reverse = false) {
    std::map<std::string, std::string> items;
    std::string begin;
    append_generation_prefix(kTable, begin);
    auto range = engine_->view()->range(begin, prefix_successor(begin), reverse);
    std::string previous;
    for (; range->valid(); range->next()) {
      std::string key(range->key());
      if (!previous.empty()) {
        EXPECT_TRUE(reverse ? key < previous : key > previous);
      }
      previous = key;
      items[key] = range->image();
    }
    EXPECT_TRUE(range->status());
    return items;
  }

  std::string folder_;
  EngineOptions options_;
  PosixDisk disk_;
  SystemClock clock_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, ACommandSeesWhatEarlierOnesOfItsBatchStaged) {
  std::vector<std::string> seen;
  for (int i = 0; i < 3; ++i) {
    auto command = std::unique_ptr<Command>(std::make_unique<Lambda>([&](Commit& commit) {
      std::string image;
      bool found = *commit.get(key_of(1), image);
      seen.push_back(found ? image : "");
      commit.put(key_of(1), seen.back() + "x", found, std::nullopt);
    }));
    ASSERT_TRUE(engine_->submit(std::move(command)));
  }
  Lsn before = engine_->published_lsn();
  engine_->step();
  EXPECT_EQ(seen, (std::vector<std::string>{"", "x", "xx"}));
  EXPECT_EQ(engine_->statistics().batches, 1u);
  EXPECT_EQ(engine_->published_lsn(), engine_->log().durable_lsn());
  EXPECT_GT(engine_->published_lsn(), before);
}

TEST_F(EngineTest, NothingIsVisibleBeforeItIsPublished) {
  put(1, "old");
  ViewPtr before = engine_->view();
  auto command = std::unique_ptr<Command>(std::make_unique<Lambda>(
      [&](Commit& commit) {
        commit.put(key_of(1), "new", true, std::nullopt);
        std::string image;
        EXPECT_TRUE(*engine_->view()->get(key_of(1), image));
        EXPECT_EQ(image, "old");
      },
      [&](const Status&) {
        std::string image;
        EXPECT_TRUE(*engine_->view()->get(key_of(1), image));
        EXPECT_EQ(image, "new");
      }));
  ASSERT_TRUE(engine_->submit(std::move(command)));
  engine_->step();
  std::string image;
  EXPECT_TRUE(*before->get(key_of(1), image));
  EXPECT_EQ(image, "old");
}

TEST_F(EngineTest, RandomWritesEqualAModelThroughTablesCheckpointsAndRestarts) {
  uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  std::map<std::string, std::string> model;
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 400; ++i) {
      uint64_t n = random.below(300);
      if (random.one_in(4)) {
        run([&](Commit& commit) {
          std::string old;
          if (*commit.get(key_of(n), old)) commit.remove(key_of(n), old);
        });
        model.erase(key_of(n));
      } else {
        std::string image(random.below(2000), static_cast<char>('a' + random.below(26)));
        put(n, image);
        model[key_of(n)] = image;
      }
      if (random.one_in(3)) {
        ASSERT_TRUE(engine_->maintain());
      }
    }
    EXPECT_EQ(contents(), model);
    EXPECT_EQ(contents(true), model);
    if (random.one_in(2)) {
      ASSERT_TRUE(engine_->checkpoint());
    }
    Lsn last = engine_->published_lsn();
    open();
    EXPECT_EQ(engine_->published_lsn(), last);
    EXPECT_EQ(contents(), model);
  }
  EXPECT_GT(engine_->statistics().checkpoint_lsn, 0u);
}

TEST_F(EngineTest, ADefinitionCommandIsABatchOfItsOwn) {
  class Alone final : public Command {
   public:
    explicit Alone(Engine& engine) : engine_(engine) {}
    size_t bytes() const override { return 1; }
    bool alone() const override { return true; }
    void evaluate(Commit& commit) override {
      EXPECT_EQ(commit.next_lsn(), engine_.published_lsn() + 1);
      commit.put(key_of(2), "alone", false, std::nullopt);
    }
    void done(const Status&) override {}

   private:
    Engine& engine_;
  };
  put(9, "first");
  auto write = [](uint64_t n) {
    return std::unique_ptr<Command>(std::make_unique<Lambda>(
        [n](Commit& commit) { commit.put(key_of(n), "x", false, std::nullopt); }));
  };
  uint64_t batches = engine_->statistics().batches;
  ASSERT_TRUE(engine_->submit(write(1)));
  ASSERT_TRUE(engine_->submit(std::make_unique<Alone>(*engine_)));
  ASSERT_TRUE(engine_->submit(write(3)));
  while (engine_->step()) {
  }
  EXPECT_EQ(engine_->statistics().batches, batches + 3);
}

TEST_F(EngineTest, WhenTheMemoryTablesAreFullCommandsWaitForMaintenance) {
  int woken = 0;
  engine_->set_wakeups([] {}, [&] { ++woken; });
  int done = 0;
  for (int i = 0; i < 200; ++i) {
    auto command = std::unique_ptr<Command>(std::make_unique<Lambda>(
        [i](Commit& commit) {
          commit.put(key_of(static_cast<uint64_t>(i)), std::string(4000, 'x'), false, std::nullopt);
        },
        [&](const Status& status) {
          EXPECT_TRUE(status);
          ++done;
        }));
    ASSERT_TRUE(engine_->submit(std::move(command)));
    engine_->step();
  }
  EXPECT_LT(done, 200);
  EXPECT_FALSE(engine_->step());
  while (*engine_->maintain()) {
  }
  EXPECT_GT(woken, 0);
  while (done < 200) {
    if (!engine_->step()) {
      ASSERT_TRUE(engine_->maintain());
    }
  }
}

TEST_F(EngineTest, EachBitOfAFullMemoryTableThatIsWrittenLetsCommandsIn) {
  options_.checkpoint_bytes = 1 << 20;
  options_.memory_table_bytes = 1 << 20;
  options_.memory_tables_bytes_max = 2 << 20;
  open();
  uint64_t submitted = 0, done = 0;
  auto commit_all_that_may = [&] {
    for (;;) {
      engine_->step();
      if (done < submitted) return;
      ASSERT_TRUE(engine_->submit(std::make_unique<Lambda>(
          [n = submitted++](Commit& commit) {
            commit.put(key_of(n), std::string(4000, 'x'), false, std::nullopt);
          },
          [&](const Status& status) {
            EXPECT_TRUE(status);
            ++done;
          })));
    }
  };
  commit_all_that_may();
  // A table of some 256 items takes several units of work; after each some more go in.
  for (int i = 0; i < 4; ++i) {
    const uint64_t before = done;
    ASSERT_TRUE(*engine_->maintain());
    commit_all_that_may();
    EXPECT_GT(done, before);
    EXPECT_LT(done, before + 100);
  }
}

TEST_F(EngineTest, LargeCommandsWaitWhileMemoryTablesAreCrowdedAndOthersGoOn) {
  class Large final : public Command {
   public:
    explicit Large(bool& done) : done_(done) {}
    size_t bytes() const override { return 1 << 20; }
    void evaluate(Commit&) override {}
    void done(const Status& status) override {
      EXPECT_TRUE(status);
      done_ = true;
    }

   private:
    bool& done_;
  };
  int woken = 0;
  engine_->set_wakeups([] {}, [&] { ++woken; });
  for (uint64_t n = 0; n < 40; ++n) put(n, std::string(4000, 'x'));
  bool done = false;
  ASSERT_TRUE(engine_->submit(std::make_unique<Large>(done)));
  EXPECT_FALSE(engine_->step());
  EXPECT_FALSE(done);
  put(40, "x");
  EXPECT_FALSE(done);
  while (woken == 0) ASSERT_TRUE(engine_->maintain());
  engine_->step();
  EXPECT_TRUE(done);
}

TEST_F(EngineTest, ADroppedGenerationsSpaceComesBackAndItsDropItemGoes) {
  for (uint64_t n = 0; n < 100; ++n) put(n, std::string(500, 'x'));
  std::string drop_key;
  append_partition_prefix(kDropGeneration, std::to_string(kTable), drop_key);
  run([&](Commit& commit) { commit.put(drop_key, "drop", false, std::nullopt); });
  ASSERT_TRUE(engine_->checkpoint());
  while (*engine_->maintain()) {
  }
  while (engine_->step()) {
  }
  std::string image;
  EXPECT_FALSE(*engine_->view()->get(drop_key, image));
  EXPECT_TRUE(contents().empty());
  open();
  EXPECT_TRUE(contents().empty());
}

TEST_F(EngineTest, ConcurrentIncrementsLoseNothingAndEveryAnswerIsPublished) {
  constexpr int kThreads = 3;
  constexpr int kEach = 300;
  std::atomic<int> answered{0};
  std::atomic<bool> stop{false};
  std::thread maintenance([&] {
    while (!stop.load()) {
      if (auto more = engine_->maintain(); !more || !*more) std::this_thread::yield();
    }
  });
  std::vector<std::thread> writers;
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        std::atomic<bool> done{false};
        Lsn lsn = 0;
        auto command = std::unique_ptr<Command>(std::make_unique<Lambda>(
            [&](Commit& commit) {
              std::string image;
              bool found = *commit.get(key_of(7), image);
              lsn = commit.put(key_of(7), std::to_string(found ? std::stoi(image) + 1 : 1), found,
                               image);
            },
            [&](const Status& status) {
              EXPECT_TRUE(status);
              EXPECT_GE(engine_->published_lsn(), lsn);
              answered.fetch_add(1);
              done.store(true);
            }));
        EXPECT_TRUE(engine_->submit(std::move(command)));
        while (!done.load()) {
          if (!engine_->step()) std::this_thread::yield();
        }
      }
    });
  }
  for (auto& writer : writers) writer.join();
  stop = true;
  maintenance.join();
  EXPECT_EQ(answered.load(), kThreads * kEach);
  std::string image;
  EXPECT_TRUE(*engine_->view()->get(key_of(7), image));
  EXPECT_EQ(image, std::to_string(kThreads * kEach));
}

// Else what takes them milliseconds leaves others little more than the gaps.
TEST_F(EngineTest, LargeCommandsRestIfOthersWaitedForOne) {
  ManualClock clock;
  engine_.reset();
  engine_ = Engine::open(options_, disk_, leveldb::Env::Default(), clock).value();
  std::vector<int64_t> wake_ups_in_ms;
  engine_->set_wakeups([] {}, [] {}, [&](int64_t ns) { wake_ups_in_ms.push_back(ns / 1'000'000); });
  std::string order;
  std::string meanwhile;  // submitted while the next large one is evaluated
  std::function<void(char)> submit = [&](char name) {
    const bool large = std::isupper(name);
    auto command = std::unique_ptr<Command>(std::make_unique<Lambda>(
        [&, name, large](Commit& commit) {
          if (large) clock.advance_ns(2'500'000);
          commit.put(key_of(static_cast<uint64_t>(name)), "value", false, std::nullopt);
          if (!large) return;
          for (char other : std::exchange(meanwhile, {})) submit(other);
        },
        [&order, name](const Status& status) {
          EXPECT_TRUE(status);
          order.push_back(name);
        },
        large ? 1u << 20 : 100u));
    ASSERT_TRUE(engine_->submit(std::move(command)));
  };
  auto step_all = [&] {
    while (engine_->step()) {
    }
  };
  // Nobody waited.
  submit('a');
  step_all();
  for (char name : std::string("BC")) submit(name);
  step_all();
  submit('d');
  step_all();
  submit('E');
  step_all();
  EXPECT_EQ(order, "aBCdE");
  // One client that sends large ones; then ten, who share the rest.
  meanwhile = "f";
  submit('G');
  step_all();
  submit('H');
  step_all();
  EXPECT_EQ(order, "aBCdEGf");
  EXPECT_EQ(wake_ups_in_ms.back(), 1000);
  clock.advance_ns(1'000'000'000);
  meanwhile = "iJKLMNOPQR";
  step_all();
  EXPECT_EQ(order, "aBCdEGfHi");
  EXPECT_EQ(wake_ups_in_ms.back(), 100);
  clock.advance_ns(100'000'000);
  step_all();
  EXPECT_EQ(order, "aBCdEGfHiJKLMNOPQR");
  engine_.reset();
}

// Keeps the flush that it was given.
class HoldingFlusher final : public Flusher {
 public:
  void flush(Flush& flush) override { held = &flush; }
  void make() {
    Flush* const flush = std::exchange(held, nullptr);
    flush->write();
    flush->finish();
  }
  Flush* held = nullptr;
};

TEST_F(EngineTest, OneFlushIsUnderWayAtATimeAndWhoWaitsIsTold) {
  std::vector<std::string> events;
  HoldingFlusher flusher;
  engine_->set_flusher(&flusher);
  engine_->set_wakeups([] {}, [&] { events.push_back("wake-up"); });
  engine_->add_publication_listener([&] { events.push_back("listener"); });
  auto submit = [&](uint64_t n) {
    auto command = std::unique_ptr<Command>(std::make_unique<Lambda>(
        [n](Commit& commit) { commit.put(key_of(n), "value", false, std::nullopt); },
        [&events, n](const Status& status) {
          EXPECT_TRUE(status);
          events.push_back("answer " + std::to_string(n));
        }));
    ASSERT_TRUE(engine_->submit(std::move(command)));
  };
  auto is_there = [&](uint64_t n) {
    std::string image;
    return engine_->view()->get(key_of(n), image).value();
  };
  submit(1);
  EXPECT_FALSE(engine_->step());
  submit(2);
  EXPECT_FALSE(engine_->step());
  EXPECT_FALSE(is_there(1));
  EXPECT_TRUE(events.empty());
  flusher.make();
  EXPECT_THAT(events, testing::ElementsAre("answer 1", "listener", "wake-up"));
  EXPECT_TRUE(is_there(1));
  EXPECT_FALSE(is_there(2));
  EXPECT_FALSE(engine_->step());
  flusher.make();
  EXPECT_THAT(events,
              testing::ElementsAre("answer 1", "listener", "wake-up", "answer 2", "listener"));
  EXPECT_TRUE(is_there(2));
}

}  // namespace
}  // namespace millrace
