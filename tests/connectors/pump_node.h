#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/base/clock.h"
#include "core/ops/operation.h"
#include "streams/subscription.h"

namespace millrace::connectors {

class ManualClock final : public Clock {
 public:
  int64_t wall_ms() const override { return ms_; }
  int64_t monotonic_ns() const override { return ms_ * 1'000'000; }
  void advance(int64_t ms) { ms_ += ms; }

 private:
  std::atomic<int64_t> ms_{1'790'000'000'000};
};

/// An engine with a catalogue in a folder of its own, committed by the thread that submits.
class PumpNode {
 public:
  PumpNode() {
    static std::atomic<int> count;
    folder_ =
        testing::TempDir() + "pump-" + std::to_string(getpid()) + "-" + std::to_string(count++);
    std::filesystem::remove_all(folder_);
    open();
  }
  ~PumpNode() {
    close();
    std::filesystem::remove_all(folder_);
  }

  /// As after a crash: what was not committed is gone.
  void restart() {
    close();
    hold_commits = false;
    open();
  }

  void create_table(const std::string& name) {
    run(
        [&](Commit& commit) {
          Table table;
          table.name = name;
          table.id = "id-" + name;
          table.generation = commit.next_lsn();
          table.key = {{"pk", ValueType::kString}, std::nullopt};
          table.created_ms = commit.time_ms();
          table.keep_old_images = catalog_->keeps_old_images(name);
          commit.put(Catalog::key_of(name), Catalog::encode(table), false, std::nullopt);
        },
        true);
  }

  Lsn put(const std::string& table, const std::string& key, const std::string& value) {
    TablePtr definition = catalog_->find(table);
    CHECK(definition != nullptr);
    ItemTree item;
    item.emplace("pk", Value::string(key));
    item.emplace("v", Value::string(value));
    std::string image = encode_item(item);
    std::string store_key = millrace::store_key(definition->key, definition->generation,
                                                ItemView(image).attributes(), false)
                                .value();
    Lsn lsn = 0;
    run([&](Commit& commit) {
      std::string before;
      bool existed = commit.get(store_key, before).value();
      std::optional<std::string_view> old_image;
      if (existed && definition->logs_old_images()) old_image = before;
      lsn = commit.put(store_key, image, existed, old_image);
    });
    return lsn;
  }

  Node& node() { return *node_; }
  Engine& engine() { return *engine_; }

  ManualClock clock;
  bool hold_commits = false;  // what others submit waits

 private:
  class Call final : public Command {
   public:
    Call(std::function<void(Commit&)> evaluate, bool alone)
        : evaluate_(std::move(evaluate)), alone_(alone) {}
    size_t bytes() const override { return 200; }
    bool alone() const override { return alone_; }
    void evaluate(Commit& commit) override { evaluate_(commit); }
    void done(const Status& status) override { EXPECT_TRUE(status); }

   private:
    std::function<void(Commit&)> evaluate_;
    const bool alone_;
  };

  void run(std::function<void(Commit&)> evaluate, bool alone = false) {
    ASSERT_TRUE(engine_->submit(std::make_unique<Call>(std::move(evaluate), alone)));
    commit();
  }
  void commit() {
    while (engine_->step()) {
    }
  }
  void open() {
    EngineOptions options;
    options.folder = folder_;
    options.log.segment_bytes = 256 << 10;
    options.log.first_segment_bytes = 256 << 10;
    options.log.sync = false;
    auto engine = Engine::open(options, disk_, leveldb::Env::Default(), clock);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(engine).value();
    catalog_ = std::make_unique<Catalog>("us-east-1", "000000000000");
    ASSERT_TRUE(catalog_->load(*engine_->view()));
    engine_->add_observer(catalog_.get());
    node_ = std::unique_ptr<Node>(
        new Node{*engine_, *catalog_, clock, [this](std::unique_ptr<Command> command) {
                   ASSERT_TRUE(engine_->submit(std::move(command)));
                   if (!hold_commits) commit();
                 }});
  }
  void close() {
    node_.reset();
    engine_.reset();
    catalog_.reset();
  }

  std::string folder_;
  PosixDisk disk_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<Node> node_;
};

}  // namespace millrace::connectors
