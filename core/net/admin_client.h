#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace millrace {

struct AdminClientOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8001;
  int connect_timeout_ms = 3000;
  int answer_timeout_ms = 10000;      // to the head of the answer, and for a whole one
  size_t line_bytes_max = 16u << 20;  // of a stream
};

/// A blocking client of the administrative port, for the command line. Errors are sentences for a
/// person: kUnavailable when the sidecar cannot be reached or leaves, kResourceNotFound for 404,
/// kValidation for another refusal (with what the sidecar says).
class AdminClient {
 public:
  explicit AdminClient(AdminClientOptions options) : options_(std::move(options)) {}

  /// The body of a whole answer.
  Result<std::string> get(const std::string& target) const;
  /// The same of a POST with a body of JSON.
  Result<std::string> post(const std::string& target, const std::string& body) const;
  /// Calls `line` with each line, without its end, as it comes, until it returns false (success) or
  /// the server ends the stream (success) or the connection breaks.
  Status stream(const std::string& target, const std::function<bool(std::string_view)>& line) const;

  /// For query parameters.
  static std::string percent_encode(std::string_view text);

 private:
  const AdminClientOptions options_;
};

}  // namespace millrace
