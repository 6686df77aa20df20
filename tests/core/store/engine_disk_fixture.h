#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/base/random.h"
#include "core/model/schema.h"
#include "core/store/disk_env.h"
#include "core/store/engine.h"
#include "engine_fixture.h"
#include "tests/sim/sim_disk.h"

namespace millrace {

inline constexpr Generation kTable = kFirstUserGeneration;

inline std::string key_of(uint64_t n, Generation generation = kTable) {
  std::string key;
  append_partition_prefix(generation, std::to_string(n), key);
  return key;
}

/// Bytes that do not look like those of another seed.
inline std::string noise(uint64_t seed, size_t size) {
  std::string out;
  Random random(seed);
  while (out.size() < size) out.push_back(static_cast<char>(random.next()));
  return out;
}

/// Counts what LevelDB does in the background, and grants it table files.
class WatchedEnv final : public DiskEnv {
 public:
  using DiskEnv::DiskEnv;
  // LevelDB's destructor does not wait for the last lines of run().
  ~WatchedEnv() override { wait_until_idle(); }

  void grant_table_files(int count) { granted_ = count; }
  bool has_refused() const { return refused_; }
  void wait_until_idle() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return under_way_ == 0; });
  }

  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override {
    if (path.ends_with(".ldb") && granted_-- <= 0) {
      refused_ = true;
      return leveldb::Status::IOError("no room");
    }
    return DiskEnv::NewWritableFile(path, file);
  }
  void Schedule(void (*work)(void*), void* argument) override {
    {
      std::lock_guard lock(mutex_);
      ++under_way_;
    }
    DiskEnv::Schedule(&WatchedEnv::run, new Job{*this, work, argument});
  }
  void StartThread(void (*work)(void*), void* argument) override {
    if (!holds_threads_) return DiskEnv::StartThread(work, argument);
    held_ = [this, work, argument] { DiskEnv::StartThread(work, argument); };
  }
  /// The next thread does not begin until it is let.
  void hold_threads() { holds_threads_ = true; }
  bool holds_thread() const { return held_ != nullptr; }
  void let_go() {
    holds_threads_ = false;
    std::exchange(held_, nullptr)();
  }

 private:
  struct Job {
    WatchedEnv& env;
    void (*work)(void*);
    void* argument;
  };
  static void run(void* argument) {
    const std::unique_ptr<Job> job(static_cast<Job*>(argument));
    job->work(job->argument);
    std::lock_guard lock(job->env.mutex_);
    --job->env.under_way_;
    job->env.idle_.notify_all();
  }

  std::atomic<int> granted_{1'000'000};
  std::atomic<bool> refused_{false};
  bool holds_threads_ = false;  // the next two are the test's thread's
  std::function<void()> held_;
  std::mutex mutex_;
  std::condition_variable idle_;
  int under_way_ = 0;
};

/// An engine with small tables and segments on a simulated disk, and its maintenance in the test's
/// hand.
class EngineDiskTest : public ::testing::Test {
 protected:
  EngineDiskTest() {
    options_.folder = "data";
    options_.memory_table_bytes = 32 << 10;
    options_.memory_tables_bytes_max = 128 << 10;
    options_.checkpoint_bytes = 64 << 10;
    options_.table_file_bytes = 64 << 10;
    options_.log.segment_bytes = 64 << 10;
    options_.log.first_segment_bytes = 16 << 10;
    open();
  }
  void open() {
    engine_.reset();
    auto engine = Engine::open(options_, disk_, &env_, clock_);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = *std::move(engine);
    engine_->set_wakeups([] {}, [] {});
  }
  Status run(std::function<void(Commit&)> evaluate) {
    std::optional<Status> answer;
    Status submitted = engine_->submit(std::make_unique<Lambda>(
        std::move(evaluate), [&](const Status& status) { answer = status; }));
    if (!submitted) return submitted;
    while (!answer) {
      engine_->step();
      // Where maintenance fails step() says so to who waits.
      if (!answer && !maintain()) continue;
    }
    return *answer;
  }
  // As operations do: what grows asks first.
  Status put(uint64_t n, std::string image) {
    Status refused;
    Status status = run([&](Commit& commit) {
      refused = commit.may_grow();
      if (refused) commit.put(key_of(n), image, false, std::nullopt);
    });
    return refused ? status : refused;
  }
  Status remove(uint64_t n) {
    return run([&](Commit& commit) { commit.remove(key_of(n), std::nullopt); });
  }
  // As the maintenance thread does, with the log trimmed to the last checkpoint.
  Status maintain() {
    for (int i = 0; i < 2000; ++i) {
      clock_.advance_s(1);
      Result<bool> more = engine_->maintain();
      RETURN_IF_ERROR(engine_->log().trim(engine_->statistics().checkpoint_lsn + 1));
      engine_->step();
      if (!more) return more.error();
      if (!*more) break;
    }
    return {};
  }
  Result<std::string> get(const std::string& key) {
    std::string image;
    ASSIGN_OR_RETURN(const bool found, engine_->view()->get(key, image));
    return found ? image : std::string("none");
  }
  std::string get(uint64_t n) {
    Result<std::string> image = get(key_of(n));
    EXPECT_TRUE(image) << image.error().message;
    return image ? *image : "";
  }

  sim::SimDisk disk_;
  WatchedEnv env_{disk_};
  ManualClock clock_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace millrace
