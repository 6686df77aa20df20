#include "cache/reads_in_flight.h"

#include <utility>

namespace millrace::cache {

ReadsInFlight::Role ReadsInFlight::begin(uint64_t hash, std::function<void()>& resume) {
  auto it = reads_.find(hash);
  if (it == reads_.end()) {
    if (reads_.size() >= kReadsMax) {
      // Waiters that never asked again (their client has gone) leave their mark behind.
      boost::unordered::erase_if(reads_,
                                 [](const auto& read) { return read.second.independent > 0; });
      if (reads_.size() >= kReadsMax) return Role::kIndependent;
    }
    reads_.try_emplace(hash);
    return Role::kReader;
  }
  Read& read = it->second;
  if (read.independent > 0) {
    if (--read.independent == 0) reads_.erase(it);
    return Role::kIndependent;
  }
  if (!resume || waiters_ >= kWaitersMax) return Role::kIndependent;
  read.waiters.push_back(std::move(resume));
  ++waiters_;
  return Role::kWaiter;
}

ReadsInFlight::Waiters ReadsInFlight::finish(uint64_t hash, bool filled) {
  auto it = reads_.find(hash);
  if (it == reads_.end() || it->second.independent > 0) return {};
  Waiters waiters = std::exchange(it->second.waiters, {});
  waiters_ -= waiters.size();
  if (filled || waiters.empty()) {
    reads_.erase(it);
  } else {
    it->second.independent = static_cast<uint32_t>(waiters.size());
  }
  return waiters;
}

}  // namespace millrace::cache
