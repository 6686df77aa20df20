#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/connector.h"
#include "core/base/result.h"

namespace millrace::connectors {

/// The body of one request while it is gathered (README.md, "HTTP"):
///
///   {"Records":[RECORD,...]}
///
/// where RECORD is the DynamoDB Streams record as Lambda gets it with one more member, "millrace":
///
///   {"lsn":17,"table":"films","transaction":{"id":"...","position":1,"count":3}}
///
/// in which `transaction` is there only for changes that are part of one.
class HttpBatch {
 public:
  struct Limits {
    size_t records = 100;
    size_t bytes = 1u << 20;  // of the body; a record that is larger goes alone
  };

  /// Adds a record; false, and nothing is added, if that would exceed the limits.
  bool add(const Record& record, std::string_view region, std::string_view account,
           const Limits& limits);

  bool empty() const { return lsns_.empty(); }
  size_t size() const { return lsns_.size(); }
  std::span<const Lsn> lsns() const { return lsns_; }
  /// Of the record at `index`; records come with consecutive tickets.
  uint64_t ticket(size_t index) const { return first_ticket_ + index; }
  /// The body, which the batch no longer holds then.
  std::string take_body();

 private:
  std::string body_;  // without its end
  std::vector<Lsn> lsns_;
  uint64_t first_ticket_ = 0;
};

/// How many of a batch's changes, from the first on, an answer with status 2xx acknowledges. As
/// Lambda's ReportBatchItemFailures: all, unless the body is a JSON object whose batchItemFailures
/// name changes by sequence number (those before the lowest of them) or something else (none).
/// kUnavailable if the body begins as an object and is not one.
Result<size_t> acknowledged_by(std::string_view body, std::span<const Lsn> lsns);

}  // namespace millrace::connectors
