// A disk that fills, refuses to sync, and changes a bit of what it holds.

#include <algorithm>

#include "tests/sim/failure.h"
#include "tests/sim/simulation.h"

namespace millrace::sim {

// Everything submitted is answered, so that what a fault does concerns only what follows.
void Simulation::quiesce() {
  auto waits = [this] {
    std::erase_if(pending_, [](const auto& pending) { return pending->answered; });
    return !pending_.empty() || model_.durable_count() < model_.changes().size();
  };
  for (int i = 0; i < 10000 && waits(); ++i) {
    node_->step();
    require(node_->maintain().has_value(), "maintenance fails");
    checker_.catch_up(*node_);
  }
  require(!waits(), "a write is never answered");
}

// One write, alone, while a fault may refuse it: then it must not have happened, unless the log has
// stopped, after which nobody knows before the next start. False once it has.
bool Simulation::write_under_fault() {
  switch (random_.below(4)) {
    case 0:
      put();
      break;
    case 1:
      update();
      break;
    case 2:
      remove();
      break;
    default:
      transact();
  }
  const std::shared_ptr<Pending> pending = pending_.back();
  for (int i = 0; i < 1000 && !pending->answered; ++i) {
    node_->step();
    if (!pending->answered) static_cast<void>(node_->maintain());
  }
  require(pending->answered, "a write is not answered while the disk fails");
  checker_.catch_up(*node_);
  if (node_->engine().log().failed()) return false;
  if (pending->refused) {
    require(model_.durable_count() < model_.changes().size() || !pending->writes,
            "a write that was refused is in the log");
    model_.forget_unconfirmed();
    ++counts_.refused;
  }
  return true;
}

void Simulation::live_with_fault(int steps) {
  for (int i = 0; i < steps; ++i) {
    clock_.advance_ms(static_cast<int64_t>(random_.below(400)));
    if (!write_under_fault()) return;
    if (random_.one_in(2)) static_cast<void>(node_->maintain());
    if (random_.one_in(4)) static_cast<void>(rewrite());
    if (random_.one_in(4)) static_cast<void>(node_->index().step());
    if (random_.one_in(4)) get();
    if (random_.one_in(10)) query();
    if (random_.one_in(10)) {
      static_cast<void>(trim());
    }
  }
}

// The fault is over: the node comes back by itself, or after a start if its log had to stop.
void Simulation::recover() {
  under_fault_ = false;
  if (node_->engine().log().failed()) return crash();
  for (int i = 0; i < 300; ++i) {
    clock_.advance_ms(1000);
    node_->step();
    if (node_->maintain() && node_->engine().health()) break;
  }
  Status health = node_->engine().health();
  require(health.has_value(), health ? "" : "the node does not recover: " + health.error().message);
  // The disk has been looked at again.
  for (int i = 0; i < 3; ++i) {
    clock_.advance_ms(2000);
    require(node_->maintain().has_value(), "maintenance fails");
  }
  put();
  quiesce();
  scan_all();
}

// Invariant 6: a full disk is no reason to stop, and is forgotten once there is room.
void Simulation::fill_disk() {
  quiesce();
  under_fault_ = true;
  const uint64_t used = disk_.used_bytes("/node").value();
  disk_.set_capacity(used + random_.below(100 << 10));
  live_with_fault(static_cast<int>(20 + random_.below(60)));
  require(!node_->engine().log().failed(), "a full disk stops the log");
  disk_.set_capacity(std::nullopt);
  if (random_.one_in(4)) {
    under_fault_ = false;
    return crash();
  }
  recover();
}

// What was to be made durable is lost; nothing may vouch for it.
void Simulation::fail_sync() {
  quiesce();
  under_fault_ = true;
  disk_.fail_next_sync();
  live_with_fault(static_cast<int>(1 + random_.below(10)));
  disk_.forget_faults();
  recover();
}

// Invariant 10: damage is an error, never an absence and never another item.
void Simulation::flip_bit() {
  quiesce();
  // What lies in memory meets no damage.
  node_->commit_all();
  require(node_->engine().checkpoint().has_value(), "a checkpoint fails");
  node_->drain();
  std::vector<std::string> files;
  const std::string folder = "/node/tables/";
  auto names = disk_.list("/node/tables");
  require(names.has_value(), "the tables' folder cannot be listed");
  for (const std::string& name : *names) {
    if (name.ends_with(".ldb")) files.push_back(folder + name);
  }
  if (files.empty()) return;
  const std::string file = files[random_.below(files.size())];
  const std::string content = disk_.content(file);
  if (content.empty()) return;
  std::string damaged = content;
  damaged[random_.below(damaged.size())] ^= static_cast<char>(1 << random_.below(8));
  disk_.set_content(file, damaged);
  // What is cached expires, so that reads through the cache meet the damage too.
  clock_.advance_ms(310'000);
  for (uint64_t partition = 0; partition < kPartitions; ++partition) {
    for (uint64_t sort = 0; sort < kSorts; ++sort) {
      get_beside_damage({partition, sort}, ",\"ConsistentRead\":true");
      get_beside_damage({partition, sort}, "");
    }
  }
  disk_.set_content(file, content);
}

void Simulation::get_beside_damage(const Key& key, const std::string& more) {
  const SimNode::Answer answer =
      read("GetItem", "{\"TableName\":\"items\",\"Key\":" + key.json() + more + "}");
  if (answer.status == 500) {
    ++counts_.damaged;
    return;
  }
  if (answer.headers.find("why=stale-if-error") != std::string::npos) {
    require(options_.stale_if_error_s > 0, "an expired item answers though it may not");
    ++counts_.damaged;
    ++counts_.expired;
  }
  auto item = model_.durable().find(key);
  const std::string expected =
      item == model_.durable().end() ? "{}" : "{\"Item\":" + json(key, item->second) + "}";
  require(answer.status == 200 && answer.body == expected, "beside damage GetItem (" +
                                                               answer.headers + ") answers " +
                                                               answer.body + ", not " + expected);
}

}  // namespace millrace::sim
