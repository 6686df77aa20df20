#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/net/admin_client.h"
#include "core/store/lsn.h"
#include "streams/lease.h"

namespace millrace::sidecar {

/// A member of a subscription, over HTTP: the requests of README.md, "Subscriptions". Calls block;
/// errors are AdminClient's, kResourceNotFound being a session that has ended (of join(): no such
/// subscription). Thread-safe but for poll() and join(), which one thread calls.
class SubscriptionClient {
 public:
  SubscriptionClient(AdminClientOptions options, std::string subscription)
      : client_(std::move(options)), subscription_(std::move(subscription)) {}

  struct Creation {
    std::vector<std::string> tables;
    std::string from = "trim_horizon";
    uint32_t shards = 4;
    std::string filter;  // JSON; empty: none
  };
  Status create(const Creation& creation) const;
  /// Begins a session; what was polled under an earlier one is forgotten.
  Status join(const std::string& member, int64_t timeout_ms);
  Status leave() const;

  struct Event {
    streams::Lease lease;
    Lsn lsn = 0;
    std::string_view line;  // as it came, with its end
    bool trimmed = false;   // no change: those below `lsn` were lost to the reader
  };
  struct Polled {
    std::string body;
    std::vector<Event> events;  // views of `body`
    std::set<std::pair<uint32_t, uint64_t>> leases;
  };
  Result<Polled> poll(int64_t wait_ms, int64_t records);
  /// Of each lease up to which LSN; returns the leases that the member holds now. Without any it
  /// only says that the member lives.
  Result<std::set<std::pair<uint32_t, uint64_t>>> acknowledge(
      const std::map<std::pair<uint32_t, uint64_t>, Lsn>& done) const;

 private:
  std::string request(const std::string& fields) const;
  const AdminClient client_;
  const std::string subscription_;
  std::string session_;
  uint64_t received_ = 0;
};

}  // namespace millrace::sidecar
