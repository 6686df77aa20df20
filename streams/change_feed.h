#pragma once

#include <string>

#include "core/base/result.h"
#include "streams/change_reader.h"
#include "streams/lease.h"

namespace millrace::streams {

/// Changes as lines of JSON, for `millrace tail` and for programs (GET /v1/changes). One line a
/// change:
///
///   {"lsn":17,"time":1790000000123,"table":"films","event":"MODIFY","keys":{...},"new":{...},"old":{...},
///    "transaction":{"id":"...","position":1,"count":3},"identity":"dynamodb.amazonaws.com",
///    "traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
///
/// `time` in ms; images as attribute values; `new` is absent for REMOVE, `old` for INSERT and where
/// the table keeps no old images; `transaction` only for changes that are part of one; `identity`
/// only for what was not a client's doing; `traceparent` if the request had one (W3C Trace
/// Context). Keeps no position. Not thread-safe.
class ChangeFeed {
 public:
  /// `from`: the first LSN that it looks at.
  ChangeFeed(Log& log, const Catalog& catalog, ChangeFilter filter, Lsn from);

  /// Appends lines until `out` has grown by about `bytes_max` or the tip is reached. True if there
  /// is more to read at once; else wait for the log to grow. kTrimmed if the log does not hold the
  /// position.
  Result<bool> next(size_t bytes_max, std::string& out);

  /// The LSN from which a new feed would go on.
  Lsn position() const { return reader_.position(); }

 private:
  ChangeReader reader_;
};

/// Appends one change in that form, without a newline. One that a subscription hands out begins
/// with the lease under which it does: `{"shard":0,"epoch":3,"lsn":17,...`.
void render_change(const Table& table, const ChangeView& change, const EntryView& entry,
                   std::string& out, const Lease* lease = nullptr);

/// Appends `,"transaction":{"id":"...","position":1,"count":3}` for a change that is part of one:
/// its place among the changes of all user tables in it.
void render_transaction(const ChangeView& change, const EntryView& entry, std::string& out);

}  // namespace millrace::streams
