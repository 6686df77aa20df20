#include "tests/sim/sim_connector.h"

#include <algorithm>

#include "core/model/number.h"
#include "core/model/schema.h"
#include "tests/sim/failure.h"

namespace millrace::sim {

void SimPeer::receive(const Key& key, Lsn lsn) {
  // A repeat must not run backwards into what the item's reader has not seen: a record that comes
  // for the first time is newer than all that came before it.
  size_t times = ++times_[lsn];
  Lsn& newest = newest_[key];
  require(times > 1 || lsn > newest,
          "the peer gets LSN " + std::to_string(lsn) + " after " + std::to_string(newest));
  newest = std::max(newest, lsn);
}

void SimPeer::check_complete() const {
  for (size_t i = 0; i < model_.durable_count(); ++i) {
    require(times_.contains(lsns_[i]),
            "LSN " + std::to_string(lsns_[i]) + " never reached the peer");
  }
  require(times_.size() == model_.durable_count(), "the peer has what no write made");
}

Result<size_t> SimConnector::deliver(std::span<const connectors::Record> records) {
  if (failed_) return make_error(ErrorCode::kUnavailable, "the peer is away");
  size_t taken = random_.below(records.size() + 1);
  if (behaves_) taken = records.size();
  for (const connectors::Record& record : records.first(taken)) {
    StoreKeyView key = *split_store_key(record.change->key);
    Number sort = *Number::from_ordered(key.sort_scalar);
    on_the_way_.push_back(
        {record.ticket,
         {std::stoull(std::string(key.partition_scalar)), std::stoull(sort.text())},
         record.change->lsn});
    if (early_) received_.push_back(record.ticket);
  }
  return taken;
}

void SimConnector::poll(int, connectors::Progress& progress) {
  if (failed_) {
    progress.failure = make_error(ErrorCode::kUnavailable, "the peer is away");
    return;
  }
  for (size_t n = behaves_ ? on_the_way_.size() : random_.below(on_the_way_.size() + 1); n > 0;
       --n) {
    const Sent& sent = on_the_way_.front();
    peer_.receive(sent.key, sent.lsn);
    if (!early_) received_.push_back(sent.ticket);
    on_the_way_.pop_front();
  }
  for (size_t n = behaves_ ? received_.size() : random_.below(received_.size() + 1); n > 0; --n) {
    size_t chosen = random_.below(received_.size());
    progress.acknowledged.push_back(received_[chosen]);
    received_.erase(received_.begin() + static_cast<std::ptrdiff_t>(chosen));
  }
  if (!behaves_ && random_.one_in(40)) {
    failed_ = true;
    progress.failure = make_error(ErrorCode::kUnavailable, "the peer went away");
  }
}

void SimConnector::reset() {
  on_the_way_.clear();
  received_.clear();
  failed_ = false;
}

}  // namespace millrace::sim
