#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "sidecar/config.h"

namespace millrace::sidecar {

/// `millrace tail TABLE ...`
struct TailOptions {
  std::vector<std::string> tables;
  Address admin{"127.0.0.1", 8001};
  std::string from = "latest";  // as streams::StartAt
  std::string filter;           // an event pattern; empty: none
  bool json = false;            // lines of JSON as they come
  bool color = false;
};

/// Prints each change of the tables of a running sidecar to standard output, until the sidecar ends
/// the stream or a signal ends the program. The error says what to do when the sidecar cannot be
/// reached or refuses.
Status tail(const TailOptions& options);

/// One change, a line of JSON as GET /v1/changes sends it, for people: time, event and key, then
/// for a modified item a line for each attribute that differs. kCorruption if it is no such line.
Result<std::string> describe_change(std::string_view line, bool color);

}  // namespace millrace::sidecar
