#include "tests/sim/simulation.h"

#include <algorithm>
#include <utility>

#include "tests/sim/failure.h"

namespace millrace::sim {
namespace {

constexpr const char* kTable = "items";

}  // namespace

Simulation::Simulation(uint64_t seed, Planted planted)
    : planted_(planted),
      random_(seed),
      with_stream_(!random_.one_in(5)),
      checker_(model_, kTable),
      follower_(model_, checker_.lsns(), kTable),
      peer_(model_, checker_.lsns()) {
  // Small, so that memory tables, segments and the cache turn over many times in a run.
  options_.engine.folder = "/node";
  options_.engine.memory_table_bytes = 4096 << random_.below(3);
  options_.engine.memory_tables_bytes_max = 32 << 10;
  options_.engine.checkpoint_bytes = 8192 << random_.below(3);
  options_.engine.log.segment_bytes = 16384 << random_.below(3);
  options_.engine.log.first_segment_bytes = 8192;
  options_.engine.log.tail_bytes = random_.one_in(2) ? 4096 : 1 << 20;
  options_.engine.batch_bytes = random_.one_in(2) ? 2048 : 4 << 20;
  // Without it every read goes to the disk, and meets what changed there.
  if (random_.one_in(2)) options_.engine.block_cache_bytes = 0;
  options_.cache_bytes = random_.one_in(4) ? 0 : size_t{8192} << random_.below(4);
  if (random_.one_in(2)) options_.stale_if_error_s = 3600;
  if (planted_ == Planted::kUnsyncedLog) options_.engine.log.sync = false;
  if (planted_ == Planted::kStaleItems || planted_ == Planted::kStalePages) {
    options_.cache_bytes = 64 << 10;
    options_.item_cache_observes = planted_ != Planted::kStaleItems;
    options_.query_cache_observes = planted_ != Planted::kStalePages;
  }
  boot();
  create_tables();
  open_pump();
}

void Simulation::boot() {
  auto node = SimNode::boot(options_, disk_, clock_, random_, answers_);
  require(node.has_value(), node ? "" : "the node does not start: " + node.error().message);
  node_ = *std::move(node);
}

void Simulation::create_tables() {
  std::string body =
      "{\"TableName\":\"" + std::string(kTable) +
      "\",\"AttributeDefinitions\":[{\"AttributeName\":\"p\",\"AttributeType\":\"S\"},"
      "{\"AttributeName\":\"s\",\"AttributeType\":\"N\"},"
      "{\"AttributeName\":\"n\",\"AttributeType\":\"N\"},"
      "{\"AttributeName\":\"v\",\"AttributeType\":\"N\"}],"
      "\"KeySchema\":[{\"AttributeName\":\"p\",\"KeyType\":\"HASH\"},"
      "{\"AttributeName\":\"s\",\"KeyType\":\"RANGE\"}],\"BillingMode\":\"PAY_PER_REQUEST\"" +
      index_members();
  if (with_stream_) {
    body +=
        ",\"StreamSpecification\":{\"StreamEnabled\":true,"
        "\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"}";
  }
  auto answer = node_->call("CreateTable", body + "}");
  require(answer && answer->status == 200, "CreateTable fails");
  answer = node_->call("CreateTable",
                       "{\"TableName\":\"beside\",\"AttributeDefinitions\":[{\"AttributeName\":"
                       "\"p\",\"AttributeType\":\"S\"}],\"KeySchema\":[{\"AttributeName\":\"p\","
                       "\"KeyType\":\"HASH\"}],\"BillingMode\":\"PAY_PER_REQUEST\"}");
  require(answer && answer->status == 200, "CreateTable fails");
}

void Simulation::open_pump() {
  streams::SubscriptionOptions options;
  options.name = "simulation";
  options.tables = {kTable};
  options.checkpoint_interval_ms = 50;
  options.checkpoint_records = 20;
  auto subscription = streams::Subscription::open(node_->node(), options);
  require(subscription.has_value(), "the subscription cannot be opened");
  subscription_ = *std::move(subscription);
  connector_ = std::make_unique<SimConnector>(peer_, random_, planted_ == Planted::kEarlyAcks);
  connectors::PumpOptions pump_options;
  pump_options.records_in_flight_max = 32;
  pump_options.batch_records = 8;
  pump_ = std::make_unique<connectors::Pump>(*subscription_, *connector_, clock_,
                                             Random(random_.next()), pump_options,
                                             [](const connectors::PumpNotice&) {});
}

void Simulation::run(int steps) {
  try {
    for (int i = 0; i < steps; ++i) one_step();
    settle();
    note();
  } catch (const Failure& failure) {
    Status health = node_ != nullptr ? node_->engine().health() : Status{};
    if (health) throw;
    throw Failure(std::string(failure.what()) + " (" + health.error().message + ")");
  }
}

void Simulation::note() {
  answers_.add(disk_.history());
  history_.push_back(answers_.value());
}

Status Simulation::trim() {
  Lsn pin = std::min(node_->engine().statistics().checkpoint_lsn + 1, subscription_->needs());
  if (auto streams = node_->streams().retention_pin(clock_.wall_ms())) {
    pin = std::min(pin, *streams);
  }
  return node_->engine().log().trim(pin);
}

Status Simulation::rewrite() {
  const uint64_t before = node_->engine().log().rewrite_statistics().segments;
  auto more = node_->rewriter().step([this] {
    const Lsn from = subscription_->needs();
    LogNeeds needs;
    // The checker reads everything.
    needs.below = std::min({node_->engine().statistics().checkpoint_lsn,
                            node_->index().statistics().indexed_through, checker_.last_lsn()});
    needs.settled = std::min(needs.below, from);
    needs.needed = streams::needed_changes(node_->catalog(), {{from, subscription_->tables()}});
    return needs;
  });
  counts_.rewritten += node_->engine().log().rewrite_statistics().segments - before;
  return more ? Status{} : more.error();
}

void Simulation::one_step() {
  note();
  if (planted_ == Planted::kUnseeded) clock_.advance_ms(static_cast<int64_t>(random_seed() % 2));
  clock_.advance_ms(static_cast<int64_t>(random_.below(20)));
  if (random_.one_in(10)) put_beside();
  uint64_t dice = random_.below(108);
  if (dice < 10)
    put();
  else if (dice < 13)
    put_if_absent();
  else if (dice < 15)
    put_same();
  else if (dice < 23)
    update();
  else if (dice < 28)
    remove();
  else if (dice < 33)
    transact();
  else if (dice < 36)
    batch();
  else if (dice < 50)
    get();
  else if (dice < 52)
    batch_get();
  else if (dice < 55)
    query();
  else if (dice < 57)
    query_index();
  else if (dice < 58)
    scan_all();
  else if (dice < 60)
    transact_get();
  else if (dice < 63 && node_->slow_fills() != nullptr)
    node_->slow_fills()->release_one();
  else if (dice < 78)
    node_->step();
  else if (dice < 86) {
    require(node_->maintain().has_value(), "maintenance fails");
    require(rewrite().has_value(), "rewriting fails");
  } else if (dice < 90)
    require(node_->index().step().has_value(), "the shard index fails");
  else if (dice < 94)
    pump_->step(0);
  else if (dice < 97 && with_stream_)
    random_.one_in(6) ? change_shards() : follower_.read_some(*node_, random_);
  else if (dice < 98)
    crash();
  else if (dice < 99) {
    checker_.catch_up(*node_);
    require(trim().has_value(), "trimming fails");
  } else if (dice < 100) {
    switch (random_.below(10)) {
      case 0:
        clock_.advance_ms(20 * 60 * 1000);  // iterators expire
        break;
      case 1:
        fill_disk();
        break;
      case 2:
        fail_sync();
        break;
      case 3:
        flip_bit();
        break;
      default:
        break;
    }
  } else if (dice < 106) {
    work_long();
  } else if (dice == 106) {
    if (random_.one_in(2)) change_index();
    check_indexes();
  } else if (random_.one_in(3)) {
    change_ttl();
  }
  checker_.catch_up(*node_);
}

// The power fails, between two steps or within one that writes, and comes back.
void Simulation::crash() {
  ++counts_.crashes;
  // A disk that fails, or has just failed, refuses what nothing here expects to be refused.
  const bool sound = !node_->engine().log().failed() && node_->engine().health() &&
                     node_->engine().statistics().disk_level == DiskBudget::Level::kRoomy;
  if (sound && random_.one_in(2)) {
    disk_.lose_power_after(random_.below(12));
    for (int i = 0; i < 30 && !disk_.power_lost(); ++i) {
      switch (random_.below(7)) {
        case 6:
          if (with_stream_) change_shards();
          break;
        case 0:
          put();
          break;
        case 1:
          transact();
          break;
        case 2:
          static_cast<void>(node_->maintain());
          static_cast<void>(rewrite());
          break;
        case 3:
          work_long();
          break;
        case 4:
          if (random_.one_in(4)) {
            change_index();
          } else if (random_.one_in(4)) {
            change_ttl();
          }
          break;
        default:
          node_->step();
      }
      // Until the power is lost every answer is checked as it comes; what is durable is found
      // afterwards.
    }
  }
  counts_.warmed += node_->warmed();
  pump_.reset();
  connector_.reset();
  subscription_.reset();
  node_.reset();
  pending_.clear();
  refused_without_power_ = false;
  disk_.crash(random_);
  checker_.lose_cursor();
  boot();
  checker_.catch_up(*node_);
  require(model_.durable_count() >= std::exchange(answered_without_power_, 0),
          "a write is answered before it is durable");
  model_.forget_unconfirmed();
  scan_all();
  check_indexes();
  open_pump();
  follower_.after_crash(random_);
}

// Everything comes to rest, and then nothing may be missing anywhere.
void Simulation::settle() {
  while (node_->slow_fills() != nullptr && node_->slow_fills()->holds_any()) {
    node_->slow_fills()->release_one();
  }
  // Also writes without a change, which may wait until maintenance has made room.
  quiesce();
  for (int i = 0; i < 100; ++i) {
    work_long();
    node_->commit_all();
    require(node_->maintain().has_value(), "maintenance fails");
    checker_.catch_up(*node_);
  }
  check_indexes();
  for (const Index& index : node_->catalog().find(kTable)->indexes)
    require(index.status == IndexStatus::kActive, "a backfill does not end");
  connector_->behave();
  for (int i = 0; i < 10000; ++i) {
    auto outcome = pump_->step(0);
    require(outcome != connectors::Pump::Outcome::kEnded, "the pump ends");
    node_->step();
    clock_.advance_ms(1000);
    checker_.catch_up(*node_);
    auto metrics = pump_->metrics(checker_.last_lsn(), clock_.wall_ms());
    if (outcome == connectors::Pump::Outcome::kIdle && pump_->drained() && !metrics.failing) break;
  }
  peer_.check_complete();
  if (with_stream_) follower_.read_all(*node_);
  scan_all();
  counts_.changes = model_.durable_count();
}

Simulation::Counts Simulation::counts() const { return counts_; }

Key Simulation::random_key() { return {random_.below(kPartitions), random_.below(kSorts)}; }

Item Simulation::random_item() {
  Item item;
  item.value = next_value_++;
  if (random_.one_in(3)) item.count = static_cast<int64_t>(random_.below(100));
  if (random_.one_in(2)) item.pad = std::string(1 + random_.below(300), 'x');
  if (random_.one_in(3))
    item.until = clock_.wall_ms() / 1000 + static_cast<int64_t>(random_.below(30)) - 5;
  return item;
}

std::optional<Item> Simulation::submitted(const Key& key) const {
  auto it = model_.submitted().find(key);
  if (it == model_.submitted().end()) return std::nullopt;
  return it->second;
}

}  // namespace millrace::sim
