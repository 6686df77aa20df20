#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/store/lsn.h"
#include "streams/lease.h"
#include "streams/start_at.h"
#include "streams/subscription_definition.h"

namespace millrace::sidecar {

// The bodies of the requests under /v1/subscriptions (README.md), JSON objects. What is not
// understood is refused (kValidation), with what would be right.

struct CreateRequest {
  streams::SubscriptionDefinition definition;
  streams::StartAt from;
};
struct DeleteRequest {
  std::string subscription;
};
struct ResetRequest {
  std::string subscription;
  streams::StartAt from;
};
struct JoinRequest {
  std::string subscription;
  std::string member;  // a name for people
  int64_t timeout_ms = 10'000;
};
/// leave, and the part that poll and acknowledge share.
struct SessionRequest {
  std::string subscription;
  std::string session;
};
struct PollRequest : SessionRequest {
  static constexpr int64_t kWaitMsMax = 20'000;
  static constexpr int64_t kRecordsMax = 1000;
  static constexpr int64_t kBytesMax = 1 << 20;
  uint64_t received = 0;
  int64_t wait_ms = 0;
  int64_t records = 100;
  int64_t bytes = kBytesMax;
};
struct AcknowledgeRequest : SessionRequest {
  static constexpr size_t kShardsMax = streams::SubscriptionDefinition::kShardsMax;
  struct Entry {
    streams::Lease lease;
    Lsn lsn = 0;
  };
  std::vector<Entry> acknowledged;
};

Result<CreateRequest> parse_create(std::string_view body);
Result<DeleteRequest> parse_delete(std::string_view body);
Result<ResetRequest> parse_reset(std::string_view body);
Result<JoinRequest> parse_join(std::string_view body);
Result<SessionRequest> parse_leave(std::string_view body);
Result<PollRequest> parse_poll(std::string_view body);
Result<AcknowledgeRequest> parse_acknowledge(std::string_view body);

}  // namespace millrace::sidecar
