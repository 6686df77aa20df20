#pragma once

#include <cstddef>
#include <map>

#include "core/ops/operation.h"
#include "streams/streams.h"

namespace millrace::streams {

/// Forgets deleted tables. The catalogue keeps the definition of a deleted table so that its
/// changes, which may still lie in the log, can be understood: by its streams while they are shown,
/// and by subscriptions that are behind. Once its streams are shown no more and the log begins
/// after the deletion, nobody can ask for it. Not thread-safe.
class DeletedTables {
 public:
  /// Tables forgotten by one call: each is a commit of its own.
  static constexpr size_t kForgottenAtOnce = 64;

  DeletedTables(Node& node, const Streams& streams) : node_(node), streams_(streams) {}

  /// Submits the commands that forget what can be forgotten now. Call it now and then: it costs a
  /// walk over the catalogue.
  void forget_due();

 private:
  Node& node_;
  const Streams& streams_;
  // Where the log ended when a deleted table was first seen: behind its deletion. Kept in memory
  // only, so a restart puts forgetting off until the log has been trimmed past it.
  std::map<Generation, Lsn> deleted_before_;
};

}  // namespace millrace::streams
