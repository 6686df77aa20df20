
#include "core/ops/cors.h"
#include "core/ops/error_wire.h"
#include "core/ops/operation.h"

namespace millrace {

namespace {

// The answer to what is no operation at all, in the service's words.
void send_not_found(HttpReply& reply) {
  HttpResponse response;
  response.status = 404;
  response.content_type = "text/html";
  response.body = "<UnknownOperationException/>\n";
  reply.send(response);
}

void send_health(const Node& node, bool any_origin, HttpReply& reply) {
  std::string body = "healthy: dynamodb." + node.catalog.region() + ".amazonaws.com ";
  HttpResponse response;
  response.content_type = "text/plain";
  if (any_origin) response.extra_headers = kAnyOriginHeaders;
  response.body = body;
  reply.send(response);
}

// A browser asks before it sends a request from a page of another origin.
void send_preflight(const HttpRequest& request, HttpReply& reply) {
  std::string headers(kAnyOriginHeaders);
  auto allow = [&](std::string_view asked, std::string_view allowed) {
    std::string_view value = request.header(asked);
    if (!value.empty()) headers.append(allowed).append(": ").append(value).append("\r\n");
  };
  allow("Access-Control-Request-Headers", "Access-Control-Allow-Headers");
  allow("Access-Control-Request-Method", "Access-Control-Allow-Methods");
  headers += "Access-Control-Max-Age: 172800\r\n";
  HttpResponse response;
  response.content_type = "text/plain";
  response.extra_headers = headers;
  reply.send(response);
}

// W3C Trace Context, section 3.2: version, trace id, parent id and flags. What is not well-formed
// is as if it were not there.
bool is_traceparent(std::string_view text) {
  constexpr std::string_view kForm = "00-00000000000000000000000000000000-0000000000000000-00";
  if (text.size() != kForm.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (kForm[i] == '-' ? text[i] != '-' : !hex) return false;
  }
  return text.substr(0, 2) != "ff" && text.substr(3, 32) != kForm.substr(3, 32) &&
         text.substr(36, 16) != kForm.substr(36, 16);
}

// Without the parameters that may follow it.
std::string_view media_type(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (!content_type.empty() && content_type.front() == ' ') content_type.remove_prefix(1);
  while (!content_type.empty() && content_type.back() == ' ') content_type.remove_suffix(1);
  return content_type;
}

}  // namespace

void serve(Node& node, const OperationTable& operations, const HttpRequest& request,
           HttpReply http) {
  const bool any_origin = !request.origin.empty();
  if (request.method != "POST") {
    if (request.method == "GET" && request.path == "/") return send_health(node, any_origin, http);
    if (request.method == "OPTIONS" && any_origin) return send_preflight(request, http);
    return send_not_found(http);
  }
  // A page can send a body of another type without asking first, so no such body is served.
  const std::string_view type = media_type(request.content_type);
  if (!request.body.empty() && type != kAmzJson && type != kPlainJson) return send_not_found(http);

  Reply reply(std::move(http));
  if (any_origin) reply.allow_any_origin();
  if (type == kPlainJson) reply.use_plain_json();
  if (is_traceparent(request.traceparent)) reply.set_traceparent(request.traceparent);
  const Operation* operation = operations.find(request.target);
  if (operation == nullptr) operation = &operations.unknown();
  reply.observe(node, *operation);
  if (request.body.size() > operation->body_bytes_max) {
    return reply.error(make_error(ErrorCode::kRequestTooLarge,
                                  "Request body exceeds the maximum of " +
                                      std::to_string(operation->body_bytes_max) + " bytes"));
  }
  operation->run(node, Request{request.body, &request}, std::move(reply));
}

}  // namespace millrace
