#include <utility>

#include "core/ops/table_removal.h"
#include "sidecar/admin_answers.h"
#include "sidecar/cache_control.h"
#include "sidecar/hot_keys.h"
#include "sidecar/metrics_page.h"
#include "sidecar/sidecar.h"

// The sidecar's administrative port.

namespace millrace::sidecar {
namespace {

AdminResponse plain_text(int status, std::string body) {
  return AdminResponse{status, "text/plain; charset=utf-8", std::move(body)};
}

/// For what test suites do to a node: `what` is allowed by the flag --allow-...
AdminResponse not_allowed(const std::string& what) {
  AdminResponse response;
  response.status = 403;
  response.body =
      R"({"error":"this is for test suites: start the sidecar with --allow-)" + what + "\"}\n";
  return response;
}

}  // namespace

Status Sidecar::open_admin() {
  AdminServerOptions options;
  options.host = config_.admin.host;
  options.port = config_.admin.port;
  admin_ = std::make_unique<AdminServer>(options);
  admin_->add("GET", "/livez", [](const AdminRequest&) { return plain_text(200, "alive\n"); });
  admin_->add("GET", "/readyz", [this](const AdminRequest&) {
    Status ready = readiness();
    if (ready && engine_->statistics().disk_level == DiskBudget::Level::kLow) {
      return plain_text(200,
                        "ready, but writes that grow are throttled: the disk budget is near\n");
    }
    return ready ? plain_text(200, "ready\n") : refusal(503, ready.error().message);
  });
  admin_->add("GET", "/metrics", [this](const AdminRequest&) {
    // While it drains too: the last minute is what an operator wants to see.
    if (phase() == Phase::kStarting) return refusal(serving().error());
    AdminResponse page;
    page.content_type = "text/plain; version=0.0.4; charset=utf-8";
    page.body =
        metrics_page({*request_metrics_, *engine_, catalog_, cache_.get(), query_cache_.get(),
                      hit_verifier_.get(), cache_warmer_, newest_, connectors_, *subscriptions_});
    return page;
  });
  admin_->add_async("POST", "/reset",
                    [this](const AdminRequest&, AdminReply reply) { reset(std::move(reply)); });
  add_stream_control();
  admin_->add("POST", "/v1/cache/flush", [this](const AdminRequest& request) {
    if (auto refusal = not_serving()) return *refusal;
    return flush_caches(request, catalog_, caches());
  });
  admin_->add("GET", "/v1/cache/hot-keys", [this](const AdminRequest& request) {
    if (auto refusal = not_serving()) return *refusal;
    return hot_keys(request, catalog_, cache_.get());
  });
  admin_->add("GET", "/v1/cache/hot-partitions", [this](const AdminRequest& request) {
    if (auto refusal = not_serving()) return *refusal;
    return hot_partitions(request, catalog_, cache_.get());
  });
  admin_->add_async("GET", "/v1/changes", [this](const AdminRequest& request, AdminReply reply) {
    if (auto refusal = not_serving()) return reply.send(*std::move(refusal));
    change_streams_->open(request, std::move(reply));
  });
  for (const SubscriptionServer::Route& route : SubscriptionServer::routes()) {
    admin_->add_async(route.method, route.path,
                      [this](const AdminRequest& request, AdminReply reply) {
                        if (auto refusal = not_serving()) return reply.send(*std::move(refusal));
                        subscription_server_->receive(request, std::move(reply));
                      });
  }
  return admin_->start();
}

/// Answered once nothing is left: a test that begins then finds an empty node.
void Sidecar::reset(AdminReply reply) {
  if (!config_.allow_reset) return reply.send(not_allowed("reset"));
  if (auto refusal = not_serving()) return reply.send(*std::move(refusal));
  auto shared = std::make_shared<AdminReply>(std::move(reply));
  node_->submit(reset_command(*node_, [shared](Result<size_t> tables) {
    if (!tables) return shared->send(plain_text(503, tables.error().message + "\n"));
    AdminResponse response;
    response.body = "{\"tables\":" + std::to_string(*tables) + "}\n";
    shared->send(std::move(response));
  }));
}

void Sidecar::add_stream_control() {
  for (const std::string& path : StreamControl::paths()) {
    admin_->add_async("POST", path, [this](const AdminRequest& request, AdminReply reply) {
      if (!config_.allow_stream_control) return reply.send(not_allowed("stream-control"));
      if (auto refusal = not_serving()) return reply.send(*std::move(refusal));
      stream_control_->answer(request, std::move(reply));
    });
  }
  admin_->add("POST", "/v1/clock/advance",
              [this](const AdminRequest& request) { return advance_clock(request); });
}

AdminResponse Sidecar::advance_clock(const AdminRequest& request) {
  if (!config_.allow_stream_control) return not_allowed("stream-control");
  if (auto refusal = not_serving()) return *refusal;
  auto by = request.query.find("by");
  if (by == request.query.end() || request.query.size() != 1)
    return plain_text(400, "say by how much, and nothing else: ?by=4h\n");
  Result<int64_t> ms = parse_duration(by->second);
  if (!ms) return plain_text(400, "by: " + ms.error().message + "\n");
  Status advanced = clock_.advance(*ms);
  if (!advanced) return plain_text(400, advanced.error().message + "\n");
  // All who do something when it is time for it.
  maintenance_.wake();
  long_working_.wake();
  wake_readers();
  AdminResponse response;
  response.body = "{\"wall_ms\":" + std::to_string(clock_.wall_ms()) + "}\n";
  return response;
}

Status Sidecar::serving() const {
  if (phase() == Phase::kServing) return {};
  return make_error(ErrorCode::kUnavailable,
                    phase() == Phase::kStarting ? "still starting" : "stopping");
}

std::optional<AdminResponse> Sidecar::not_serving() const {
  const Status status = serving();
  if (status) return std::nullopt;
  return refusal(status.error());
}

Status Sidecar::readiness() const {
  RETURN_IF_ERROR(serving());
  RETURN_IF_ERROR(engine_->health());
  if (engine_->statistics().disk_level == DiskBudget::Level::kExhausted)
    return make_error(ErrorCode::kDiskFull, "the disk budget is used up; writes are refused");
  return {};
}

}  // namespace millrace::sidecar
