#pragma once

#include <string>
#include <utility>

#include "core/ops/operation.h"
#include "core/store/engine.h"

namespace millrace {

/// A command that a client waits for: it keeps its answer until what it saw and did is durable.
class AnsweredCommand : public Command {
 public:
  std::string_view traceparent() const final { return reply_.traceparent(); }
  void done(const Status& status) final {
    if (!status) {
      reply_.error(status.error());
    } else if (failure_) {
      reply_.error(failure_.value());
    } else {
      reply_.ok(body_.empty() && !without_body_ ? std::string_view("{}") : std::string_view(body_));
    }
  }

 protected:
  explicit AnsweredCommand(Reply reply) : reply_(std::move(reply)) {}

  /// The answer's body; empty is `{}`.
  void answer(std::string body) { body_ = std::move(body); }
  /// An answer without a body, as few operations have it.
  void answer_without_body() { without_body_ = true; }
  void fail(Error error) { failure_ = std::move(error); }

 private:
  Reply reply_;
  std::string body_;
  bool without_body_ = false;
  std::optional<Error> failure_;
};

}  // namespace millrace
