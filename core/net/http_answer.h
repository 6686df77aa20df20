#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/net/content_coding.h"
#include "core/net/http_server.h"

namespace millrace {

/// What an answer depends on beside its content; taken from its request.
struct AnswerContext {
  std::array<char, 52> request_id;
  bool keep_alive = true;
  bool http_1_0 = false;
  bool head_only = false;  // HEAD
  ContentCoding coding = ContentCoding::kIdentity;  // of a body that is worth it
};

/// Appends the whole answer, head and body, to `out`. Any thread.
void render_answer(const AnswerContext& context, const HttpResponse& response, std::string& out);

/// An answer of the server's own: the refusal of a request that no handler saw.
HttpResponse refusal(int status);

/// DynamoDB's throttling error, which its clients try again.
HttpResponse throttled();

/// A fresh x-amzn-RequestId: 52 characters of base32, 260 random bits. Any thread.
void make_request_id(std::array<char, 52>& id);

}  // namespace millrace
