#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
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
/// kValidation for another refusal (with what the sidecar says). Thread-safe. One connection is
/// kept open between requests; where the sidecar has closed it meanwhile the request goes over a
/// new one, so it must do no harm twice.
class AdminClient {
 public:
  explicit AdminClient(AdminClientOptions options);
  ~AdminClient();

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
  class Connection;
  Result<std::string> answer(std::string_view method, const std::string& target,
                             const std::string& body) const;
  Result<std::string> take_answer(std::unique_ptr<Connection> connection) const;

  const AdminClientOptions options_;
  mutable std::mutex mutex_;  // guards kept_
  mutable std::unique_ptr<Connection> kept_;
};

}  // namespace millrace
