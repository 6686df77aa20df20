#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/ops/catalog.h"
#include "core/store/frame.h"

namespace millrace::connectors {

/// One change on its way out. The pointers live until deliver() returns.
struct Record {
  /// Names the record in acknowledgements. Tickets rise by one from record to record.
  uint64_t ticket = 0;
  const Table* table = nullptr;  // as it was defined when the change was made
  const ChangeView* change = nullptr;
  const EntryView* entry = nullptr;  // time, transaction, identity

  /// The same whenever this change is delivered, and never that of another: its LSN.
  Lsn idempotency_key() const { return change->lsn; }
  /// Rises with each change of an item.
  Lsn item_version() const { return change->lsn; }
};

/// What a connector has to say since it was last asked.
struct Progress {
  /// Tickets of records that the peer has for good, in any order, each once.
  std::vector<uint64_t> acknowledged;
  /// Why some record that was taken will never be acknowledged. kUnavailable: trying again may
  /// help; the connector takes nothing more until it is reset. Other codes: it cannot help.
  Status failure;
  /// With a failure: how long the peer asks to be left alone; 0: it does not say.
  int64_t retry_after_ms = 0;
  /// A complaint that needs no action here, such as a peer that is away; empty if there is none.
  std::string trouble;

  void clear() {
    acknowledged.clear();
    failure = Status();
    retry_after_ms = 0;
    trouble.clear();
  }
};

/// A way out for changes: Kafka, a search index, a file. Asynchronous: deliver() takes records and
/// poll() says later how far they got. It owns what it needs to copy, knows nothing of positions,
/// checkpoints and pauses (the pump's business), and never drops a record silently. Called by one
/// thread at a time.
class Connector {
 public:
  virtual ~Connector() = default;

  /// Takes records from the front of `records`, as many as it has room for, and returns how many;
  /// keeps the order of one item's records towards the peer. Does not block. Errors as in
  /// Progress::failure.
  virtual Result<size_t> deliver(std::span<const Record> records) = 0;

  /// Sends and receives what is due, waiting up to `wait_ms` for something to report, and adds it
  /// to `progress`.
  virtual void poll(int wait_ms, Progress& progress) = 0;

  /// Sends what it has gathered without waiting for more. Does not block.
  virtual void flush() = 0;

  /// Gives up everything that is not acknowledged: no acknowledgement of it comes any more, and it
  /// will be delivered again in the same order under new tickets. May block for a moment.
  virtual void reset() = 0;
};

}  // namespace millrace::connectors
