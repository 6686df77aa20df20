#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/model/item_json.h"
#include "core/ops/operation.h"
#include "streams/lineage_control.h"
#include "streams/streams.h"
#include "streams/streams_operations.h"
#include "tests/sim/sim_disk.h"

namespace millrace::streams {

class ManualClock final : public Clock {
 public:
  int64_t wall_ms() const override {
    if (calls_before_ > 0 && --calls_before_ == 0) std::exchange(at_call_, nullptr)();
    return ms_ + wall_ahead_ms_;
  }
  int64_t monotonic_ns() const override { return ms_ * 1'000'000; }
  void advance(int64_t ms) { ms_ += ms; }
  /// Sets the wall clock off from the monotonic one.
  void set_wall_ahead(int64_t ms) { wall_ahead_ms_ = ms; }
  /// Something that happens just when somebody asks for the time, for the `count`th time from now.
  void at_call(int count, std::function<void()> happen) {
    at_call_ = std::move(happen);
    calls_before_ = count;
  }
  bool happened() const { return calls_before_ == 0; }

 private:
  std::atomic<int64_t> ms_{1'790'000'000'123};
  std::atomic<int64_t> wall_ahead_ms_{0};
  mutable std::atomic<int> calls_before_{0};
  mutable std::function<void()> at_call_;
};

inline constexpr int64_t kHourMs = 60 * 60 * 1000;

/// Calls a function in place of an operation's evaluation.
class Call final : public Command {
 public:
  Call(std::function<void(Commit&)> evaluate, std::atomic<bool>& done, bool alone)
      : evaluate_(std::move(evaluate)), done_(done), alone_(alone) {}
  size_t bytes() const override { return 200; }
  bool alone() const override { return alone_; }
  void evaluate(Commit& commit) override { evaluate_(commit); }
  void done(const Status& status) override {
    EXPECT_TRUE(status);
    done_ = true;
  }

 private:
  std::function<void(Commit&)> evaluate_;
  std::atomic<bool>& done_;
  const bool alone_;
};

/// An engine with a catalogue, the index over its log and its streams, in a folder of its own.
/// Tables are defined by commands of the tests' own. The index's files lie on a simulated disk that
/// can crash.
class StreamNode {
 public:
  explicit StreamNode(uint64_t segment_bytes = 64 << 10) {
    static std::atomic<int> count;
    folder_ = testing::TempDir() + "streams-" + std::to_string(::getpid()) + "-" +
              std::to_string(count++);
    std::filesystem::remove_all(folder_);
    options_.folder = folder_;
    options_.log.segment_bytes = segment_bytes;
    options_.log.first_segment_bytes = segment_bytes;
    options_.log.tail_bytes = 16 << 10;
    options_.log.sync = false;
    open();
  }
  ~StreamNode() {
    close();
    std::filesystem::remove_all(folder_);
  }

  void open() {
    auto opened = Engine::open(options_, disk_, leveldb::Env::Default(), clock);
    ASSERT_TRUE(opened) << opened.error().message;
    engine_ = *std::move(opened);
    catalog_ = std::make_unique<Catalog>("eu-west-1", "000000000000");
    ASSERT_TRUE(catalog_->load(*engine_->view()));
    engine_->add_observer(catalog_.get());
    node_ = std::make_unique<Node>(
        Node{*engine_, *catalog_, clock, [this](auto command) { submit(std::move(command)); }});
    open_index();
  }
  /// The index alone, as after a crash in which everything else came back.
  void open_index() {
    lineage_.reset();
    streams_.reset();
    operations_.reset();
    index_.reset();
    auto index = ShardIndex::open(index_disk, "/shards", engine_->log(), *catalog_);
    ASSERT_TRUE(index) << index.error().message;
    index_ = *std::move(index);
    streams_ = std::make_unique<Streams>(engine_->log(), *catalog_, *index_, clock,
                                         std::string(32, 'k'), stream_options);
    lineage_ = std::make_unique<LineageControl>(*node_, *streams_, *index_);
    operations_ = std::make_unique<OperationTable>();
    add_streams_operations(*operations_, *streams_);
  }
  void close() {
    operations_.reset();
    lineage_.reset();
    streams_.reset();
    index_.reset();
    node_.reset();
    engine_.reset();
    catalog_.reset();
  }
  void restart() {
    close();
    open();
  }

  void submit(std::unique_ptr<Command> command) {
    if (refuse_commits) return command->done(make_error(ErrorCode::kThrottling, "told to refuse"));
    ASSERT_TRUE(engine_->submit(std::move(command)));
    if (!hold_commits) commit();
  }
  void commit() {
    while (engine_->step()) {
    }
  }
  void run(std::function<void(Commit&)> evaluate, bool alone = false) {
    std::atomic<bool> done = false;
    std::unique_ptr<Command> command = std::make_unique<Call>(std::move(evaluate), done, alone);
    ASSERT_TRUE(engine_->submit(std::move(command)));
    while (!done) {
      engine_->step();
      if (!done) std::this_thread::yield();
    }
  }
  void maintain() {
    for (;;) {
      auto more = engine_->maintain();
      ASSERT_TRUE(more) << more.error().message;
      if (!*more) return;
    }
  }
  void step_index() {
    for (;;) {
      auto more = index_->step();
      ASSERT_TRUE(more) << more.error().message;
      if (!*more) return;
    }
  }

  void create_table(const std::string& name, std::optional<StreamViewType> view,
                    std::optional<KeyAttribute> sort = std::nullopt,
                    ValueType partition = ValueType::kString) {
    run(
        [&](Commit& commit) {
          Table table;
          table.name = name;
          table.id = "id-" + name;
          table.generation = commit.next_lsn();
          table.key = {{"pk", partition}, sort};
          table.billing_mode = "PAY_PER_REQUEST";
          table.created_ms = commit.time_ms();
          table.keep_old_images = catalog_->keeps_old_images(name);
          if (view) table.streams.push_back(new_stream(*view, commit));
          commit.put(Catalog::key_of(name), Catalog::encode(table), false, std::nullopt);
        },
        true);
  }
  void enable(const std::string& name, StreamViewType view) {
    change_table(name, [&](Table& table, Commit& commit) {
      table.streams.push_back(new_stream(view, commit));
    });
  }
  void disable(const std::string& name) {
    change_table(name, [](Table& table, Commit& commit) {
      table.streams.back().disable(commit.next_lsn(), commit.time_ms());
    });
  }
  /// As DeleteTable does.
  void delete_table(const std::string& name) {
    run(
        [&](Commit& commit) {
          std::string image;
          ASSERT_TRUE(commit.get(Catalog::key_of(name), image));
          Table table = Catalog::decode(ItemView(image)).value();
          if (table.enabled_stream() != nullptr)
            table.streams.back().disable(commit.next_lsn(), commit.time_ms());
          commit.remove(Catalog::key_of(name), std::nullopt);
          commit.put(Catalog::key_of(Catalog::deleted_name(table.generation)),
                     Catalog::encode(table), false, std::nullopt);
        },
        true);
  }

  struct Write {
    std::string table;
    std::string key;
    std::optional<std::string> value;  // none: a removal
  };
  /// One entry; returns its first LSN.
  Lsn write(const std::vector<Write>& writes, std::optional<std::string> identity = std::nullopt) {
    Lsn first = 0;
    run([&](Commit& commit) {
      if (writes.size() > 1) commit.set_field(EntryField::kTransactionId, "t1");
      if (identity) commit.set_field(EntryField::kIdentity, *identity);
      for (const Write& write : writes) {
        Lsn lsn = apply(write, commit);
        if (first == 0) first = lsn;
      }
    });
    return first;
  }
  Lsn put(const std::string& table, const std::string& key, const std::string& value) {
    return write({{table, key, value}});
  }
  Lsn remove(const std::string& table, const std::string& key) {
    return write({{table, key, std::nullopt}});
  }

  static ItemTree item(const std::string& key, const std::string& value) {
    ItemTree tree;
    tree.emplace("pk", Value::string(key));
    tree.emplace("v", Value::string(value));
    return tree;
  }

  /// The answer of an operation: status and body.
  std::pair<int, std::string> call(const std::string& name, const std::string& body) {
    const Operation* operation = operations_->find("DynamoDBStreams_20120810." + name);
    EXPECT_NE(operation, nullptr);
    std::string padded = body + std::string(HttpRequest::kBodyPadding, '\0');
    std::pair<int, std::string> answer;
    operation->run(*node_, Request{std::string_view(padded).substr(0, body.size())},
                   Reply([&](int status, std::string_view, std::string_view text) {
                     answer = {status, std::string(text)};
                   }));
    return answer;
  }

  /// Changes the shards of a table's newest stream.
  Status change(const std::string& table, LineageChange change) {
    const Stream stream = stream_of(table);
    std::optional<Status> status;
    lineage_->submit({stream.table->generation, stream.definition().enabled_at}, std::move(change),
                     [&status](const Result<TablePtr>& done) {
                       status = done ? Status() : Status(done.error());
                     });
    while (!status) commit();
    return *status;
  }

  Stream stream_of(const std::string& table) {
    TablePtr found = catalog_->find(table);
    CHECK(found != nullptr && !found->streams.empty());
    return {found, found->streams.size() - 1};
  }

  Engine& engine() { return *engine_; }
  Log& log() { return engine_->log(); }
  Catalog& catalog() { return *catalog_; }
  ShardIndex& index() { return *index_; }
  Streams& streams() { return *streams_; }
  LineageControl& lineage() { return *lineage_; }
  Node& node() { return *node_; }

  ManualClock clock;
  sim::SimDisk index_disk;
  bool refuse_commits = false;    // commands that are submitted fail
  bool hold_commits = false;      // commands that are submitted wait for commit()
  uint32_t shards = 4;            // that streams are enabled with
  StreamsOptions stream_options;  // from the next open() on

 private:
  StreamDefinition new_stream(StreamViewType view, Commit& commit) {
    StreamDefinition stream;
    stream.label = "2026-11-22T10:00:00." + std::to_string(1000 + labels_++).substr(1);
    stream.view_type = view;
    stream.enabled_at = commit.next_lsn();
    stream.created_ms = commit.time_ms();
    stream.open_shards(shards);
    return stream;
  }
  void change_table(const std::string& name, std::function<void(Table&, Commit&)> change) {
    run(
        [&](Commit& commit) {
          std::string image;
          ASSERT_TRUE(commit.get(Catalog::key_of(name), image));
          Table table = Catalog::decode(ItemView(image)).value();
          change(table, commit);
          commit.put(Catalog::key_of(name), Catalog::encode(table), true, std::nullopt);
        },
        true);
  }
  Lsn apply(const Write& write, Commit& commit) {
    TablePtr table = catalog_->find(write.table);
    CHECK(table != nullptr);
    std::string key, before;
    append_partition_prefix(table->generation, write.key, key);
    auto existed = commit.get(key, before);
    CHECK(existed.has_value());
    std::optional<std::string_view> old;
    if (*existed && table->logs_old_images()) old = before;
    if (!write.value) return *existed ? commit.remove(key, old) : commit.next_lsn();
    return commit.put(key, encode_item(item(write.key, *write.value)), *existed, old);
  }

  std::string folder_;
  EngineOptions options_;
  PosixDisk disk_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<ShardIndex> index_;
  std::unique_ptr<Streams> streams_;
  std::unique_ptr<LineageControl> lineage_;
  std::unique_ptr<OperationTable> operations_;
  int labels_ = 0;
};

/// The text of the first `"name":"..."` behind `from` in JSON; empty if there is none.
inline std::string text_of(const std::string& json, const std::string& name, size_t from = 0) {
  std::string quoted = "\"" + name + "\":\"";
  size_t at = json.find(quoted, from);
  if (at == std::string::npos) return "";
  at += quoted.size();
  return json.substr(at, json.find('"', at) - at);
}

/// A record as the tests compare it.
struct SeenRecord {
  Lsn lsn;
  std::string key, event, value;
  bool operator==(const SeenRecord&) const = default;
};
inline void PrintTo(const SeenRecord& record, std::ostream* out) {
  *out << record.lsn << ' ' << record.event << ' ' << record.key << '=' << record.value;
}

/// The records of a page as render_record writes them for items of StreamNode.
inline std::vector<SeenRecord> parse_records(const std::string& json) {
  std::vector<SeenRecord> records;
  const std::string begin = "{\"eventID\":";
  for (size_t at = json.find(begin); at != std::string::npos;) {
    size_t end = json.find(begin, at + 1);
    std::string record = json.substr(at, end == std::string::npos ? end : end - at);
    SeenRecord seen;
    seen.lsn = parse_sequence_number(text_of(record, "SequenceNumber")).value_or(0);
    seen.event = text_of(record, "eventName");
    seen.key = text_of(record, "S", record.find("\"Keys\""));
    size_t image = record.find("\"NewImage\"");
    if (image != std::string::npos) seen.value = text_of(record, "S", record.find("\"v\":", image));
    records.push_back(std::move(seen));
    at = end;
  }
  return records;
}

/// Reads a shard from an iterator to the tip, or to its end; `iterator` is then where to go on
/// (empty: closed).
inline std::vector<SeenRecord> read_on(StreamNode& node, std::string& iterator,
                                       size_t limit = Streams::kRecordsMax) {
  std::vector<SeenRecord> records;
  while (!iterator.empty()) {
    std::string page;
    const Lsn durable = node.log().durable_lsn();
    auto read = node.streams().read(iterator, limit, page);
    EXPECT_TRUE(read) << read.error().message;
    if (!read) break;
    for (SeenRecord& record : parse_records(page)) records.push_back(std::move(record));
    iterator = read->next.value_or("");
    if (iterator.empty()) break;
    auto place = IteratorSigner(std::string(32, 'k')).open(iterator, node.clock.wall_ms());
    EXPECT_TRUE(place);
    if (read->count == 0 && place->from > durable) break;
  }
  return records;
}

/// All records of a stream by shard, from its horizon.
inline std::vector<std::vector<SeenRecord>> read_shards(StreamNode& node, const Stream& stream) {
  std::vector<std::vector<SeenRecord>> shards;
  for (const ShardDefinition& shard : stream.definition().shards) {
    auto iterator =
        node.streams().iterator(stream, shard.name.ordinal, IteratorType::kTrimHorizon, 0, 0);
    EXPECT_TRUE(iterator);
    shards.push_back(read_on(node, *iterator));
  }
  return shards;
}

/// All records of a stream in the order of their LSNs.
inline std::vector<SeenRecord> read_all(StreamNode& node, const Stream& stream) {
  std::map<Lsn, SeenRecord> records;
  for (auto& shard : read_shards(node, stream)) {
    for (SeenRecord& record : shard) {
      EXPECT_TRUE(records.emplace(record.lsn, record).second) << "twice: LSN " << record.lsn;
    }
  }
  std::vector<SeenRecord> result;
  for (auto& [lsn, record] : records) result.push_back(std::move(record));
  return result;
}

}  // namespace millrace::streams
