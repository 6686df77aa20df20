#pragma once

#include <string>

#include "connection.h"
#include "workload.h"

namespace millrace::linearizability {

enum class Reading : uint8_t {
  kTold,     // the operations say what the answer told
  kShed,     // refused for load: nothing happened
  kAgain,    // the same transaction is under way: to be sent again
  kUnknown,  // the node is going down
  kWrong,    // no answer that this request can get
};

/// Fills the outcome of `request`'s operations from the answer, and tells `last_seen`. kWrong:
/// `why` tells.
Reading take_answer(const Connection::Answer& answer, Request& request, LastSeen& last_seen,
                    std::string& why);

}  // namespace millrace::linearizability
