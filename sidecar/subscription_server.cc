#include "sidecar/subscription_server.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/ops/json_fields.h"
#include "sidecar/admin_answers.h"
#include "sidecar/config.h"
#include "sidecar/subscription_status.h"
#include "streams/change_feed.h"

namespace millrace::sidecar {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
// A checkpoint takes one flush of the log; where none can be made the client is told.
constexpr int64_t kDurableNs = 10'000 * kNsPerMs;

AdminResponse json(std::string body) {
  AdminResponse response;
  response.body = std::move(body) + "\n";
  return response;
}

std::string leases_of(const streams::ConsumerGroup& group, const std::string& session) {
  std::string json = "[";
  for (const streams::Lease& lease : group.leases(session)) {
    if (json.size() > 1) json += ',';
    JsonFields fields(json);
    fields.integer("shard", lease.shard);
    fields.integer("epoch", static_cast<int64_t>(lease.epoch));
    fields.end();
  }
  return json + "]";
}

/// Answers once a change of a definition is done.
streams::Subscriptions::Done answer(const std::shared_ptr<AdminReply>& reply) {
  return
      [reply](const Status& status) { reply->send(status ? json("{}") : refusal(status.error())); };
}

}  // namespace

SubscriptionServer::SubscriptionServer(Node& node, streams::Subscriptions& subscriptions,
                                       const NewestEntry& newest)
    : node_(node),
      subscriptions_(subscriptions),
      newest_(newest),
      thread_({.name = "subscriptions", .idle_ms = 100, .apart_us = 200},
              [this] { return step(); }) {}

SubscriptionServer::~SubscriptionServer() { stop(); }

const std::vector<SubscriptionServer::Route>& SubscriptionServer::routes() {
  static const std::vector<Route> routes = {
      {"GET", "/v1/subscriptions"},         {"POST", "/v1/subscriptions/create"},
      {"POST", "/v1/subscriptions/delete"}, {"POST", "/v1/subscriptions/reset"},
      {"POST", "/v1/subscriptions/join"},   {"POST", "/v1/subscriptions/leave"},
      {"POST", "/v1/subscriptions/poll"},   {"POST", "/v1/subscriptions/acknowledge"},
  };
  return routes;
}

void SubscriptionServer::receive(const AdminRequest& request, AdminReply reply) {
  {
    std::lock_guard lock(mutex_);
    if (received_.size() + waiting_.load(std::memory_order_relaxed) < kRequestsMax) {
      received_.push_back({request, std::make_shared<AdminReply>(std::move(reply))});
      thread_.wake();
      return;
    }
  }
  reply.send(refusal(503, "too many requests of subscriptions wait; try again"));
}

bool SubscriptionServer::step() {
  std::vector<Received> received;
  {
    std::lock_guard lock(mutex_);
    received.swap(received_);
  }
  subscriptions_.step();
  for (const Received& each : received) handle(each.request, each.reply);
  // Before they look at the log: what it grows by from here on wakes this thread.
  count_waiting();
  bool more = false;
  acknowledgements_.remove_if([this](Acknowledgement& each) { return advance(each); });
  polls_.remove_if([&](Poll& each) { return advance(each, more); });
  count_waiting();
  return more;
}

void SubscriptionServer::count_waiting() {
  waiting_.store(polls_.size() + acknowledgements_.size() + subscriptions_.changes_under_way());
}

void SubscriptionServer::handle(const AdminRequest& request, const SharedReply& reply) {
  using Handler = void (SubscriptionServer::*)(const AdminRequest&, const SharedReply&);
  static const std::map<std::string, Handler> handlers = {
      {"/v1/subscriptions", &SubscriptionServer::list},
      {"/v1/subscriptions/create", &SubscriptionServer::create},
      {"/v1/subscriptions/delete", &SubscriptionServer::remove},
      {"/v1/subscriptions/reset", &SubscriptionServer::reset},
      {"/v1/subscriptions/join", &SubscriptionServer::join},
      {"/v1/subscriptions/leave", &SubscriptionServer::leave},
      {"/v1/subscriptions/poll", &SubscriptionServer::poll},
      {"/v1/subscriptions/acknowledge", &SubscriptionServer::acknowledge},
  };
  (this->*handlers.at(request.path))(request, reply);
}

Result<SubscriptionServer::Group> SubscriptionServer::find(const std::string& name) const {
  Group group = subscriptions_.find(name);
  if (group != nullptr) return group;
  std::vector<std::string> known;
  for (const Group& each : subscriptions_.all()) known.push_back(each->definition().name);
  std::string near = did_you_mean(name, known);
  std::string message = "there is no subscription '" + name + "'";
  if (!near.empty()) message += "; did you mean '" + near + "'?";
  return make_error(ErrorCode::kResourceNotFound, message);
}

void SubscriptionServer::create(const AdminRequest& request, const SharedReply& reply) {
  Result<CreateRequest> create = parse_create(request.body);
  if (!create) return reply->send(refusal(create.error()));
  for (const std::string& table : create->definition.tables) {
    if (node_.catalog.find(table) == nullptr)
      return reply->send(refusal(404, no_such_table(node_.catalog, table)));
  }
  subscriptions_.create(std::move(create->definition), create->from, answer(reply));
}

void SubscriptionServer::remove(const AdminRequest& request, const SharedReply& reply) {
  Result<DeleteRequest> remove = parse_delete(request.body);
  if (!remove) return reply->send(refusal(remove.error()));
  subscriptions_.remove(remove->subscription, answer(reply));
}

void SubscriptionServer::reset(const AdminRequest& request, const SharedReply& reply) {
  Result<ResetRequest> reset = parse_reset(request.body);
  if (!reset) return reply->send(refusal(reset.error()));
  subscriptions_.reset(reset->subscription, reset->from, answer(reply));
}

void SubscriptionServer::join(const AdminRequest& request, const SharedReply& reply) {
  Result<JoinRequest> join = parse_join(request.body);
  if (!join) return reply->send(refusal(join.error()));
  Result<Group> group = find(join->subscription);
  if (!group) return reply->send(refusal(group.error()));
  Result<std::string> session = (*group)->join(std::move(join->member), join->timeout_ms);
  if (!session) return reply->send(refusal(session.error()));
  reply->send(json("{\"session\":\"" + *session + "\"}"));
}

void SubscriptionServer::leave(const AdminRequest& request, const SharedReply& reply) {
  Result<SessionRequest> leave = parse_leave(request.body);
  if (!leave) return reply->send(refusal(leave.error()));
  Result<Group> group = find(leave->subscription);
  if (!group) return reply->send(refusal(group.error()));
  (*group)->leave(leave->session);
  reply->send(json("{}"));
}

void SubscriptionServer::poll(const AdminRequest& request, const SharedReply& reply) {
  Result<PollRequest> poll = parse_poll(request.body);
  if (!poll) return reply->send(refusal(poll.error()));
  // A client that asks again has given up its earlier request: that one must take nothing away.
  polls_.remove_if([&](Poll& each) {
    if (each.request.session != poll->session) return false;
    each.reply->send(refusal(409, "the session has polled again"));
    return true;
  });
  const int64_t deadline_ns = node_.clock.monotonic_ns() + poll->wait_ms * kNsPerMs;
  reply->when_gone([this] { thread_.wake(); });
  polls_.push_back({std::move(poll).value(), reply, deadline_ns});
}

/// True when it has been answered, or need not be.
bool SubscriptionServer::advance(Poll& poll, bool& more) {
  if (poll.reply->gone()) return true;
  Result<Group> group = find(poll.request.subscription);
  if (!group) {
    poll.reply->send(refusal(group.error()));
    return true;
  }
  auto delivery = (*group)->poll(poll.request.session, poll.request.received,
                                 static_cast<size_t>(poll.request.records),
                                 static_cast<size_t>(poll.request.bytes));
  if (!delivery) {
    poll.reply->send(refusal(delivery.error()));
    return true;
  }
  if (delivery->batches.empty()) {
    more = more || delivery->more;
    if (node_.clock.monotonic_ns() < poll.deadline_ns) return false;
  }
  AdminResponse response;
  response.content_type = "application/x-ndjson";
  response.body = "{\"delivery\":" + std::to_string(delivery->number) +
                  ",\"leases\":" + leases_of(**group, poll.request.session) + "}\n";
  for (const streams::LeasedBatch& leased : delivery->batches) {
    if (leased.batch.trimmed_below != 0) {
      response.body += "{\"shard\":" + std::to_string(leased.lease.shard) +
                       ",\"epoch\":" + std::to_string(leased.lease.epoch) +
                       ",\"trimmed\":" + std::to_string(leased.batch.trimmed_below) + "}\n";
    }
    for (const streams::Change& change : leased.batch.changes) {
      streams::render_change(*change.table, change.change, change.entry, response.body,
                             &leased.lease);
      response.body += '\n';
    }
  }
  poll.reply->send(std::move(response));
  return true;
}

void SubscriptionServer::acknowledge(const AdminRequest& request, const SharedReply& reply) {
  using Acknowledged = streams::ConsumerGroup::Acknowledged;
  Result<AcknowledgeRequest> asked = parse_acknowledge(request.body);
  if (!asked) return reply->send(refusal(asked.error()));
  Result<Group> group = find(asked->subscription);
  if (!group) return reply->send(refusal(group.error()));
  if (Status alive = (*group)->renew(asked->session); !alive)
    return reply->send(refusal(alive.error()));
  Acknowledgement waiting;
  std::string refused;
  for (const AcknowledgeRequest::Entry& entry : asked->acknowledged) {
    auto outcome = (*group)->acknowledge(asked->session, entry.lease, entry.lsn);
    if (!outcome) return reply->send(refusal(outcome.error()));
    if (*outcome == Acknowledged::kTaken) {
      waiting.moved.emplace_back(entry.lease.shard, entry.lsn);
      continue;
    }
    if (!refused.empty()) refused += ',';
    JsonFields fields(refused);
    fields.integer("shard", entry.lease.shard);
    fields.integer("epoch", static_cast<int64_t>(entry.lease.epoch));
    fields.text("reason", *outcome == Acknowledged::kLeaseLost ? "lease lost" : "not handed out");
    fields.end();
  }
  waiting.refused = std::move(refused);
  waiting.request = std::move(asked).value();
  waiting.reply = reply;
  waiting.deadline_ns = node_.clock.monotonic_ns() + kDurableNs;
  acknowledgements_.push_back(std::move(waiting));
}

bool SubscriptionServer::advance(Acknowledgement& waiting) {
  Result<Group> group = find(waiting.request.subscription);
  if (!group) {
    waiting.reply->send(refusal(group.error()));
    return true;
  }
  std::erase_if(waiting.moved,
                [&](const auto& moved) { return (*group)->durable(moved.first, moved.second); });
  if (waiting.moved.empty()) {
    waiting.reply->send(json("{\"refused\":[" + waiting.refused +
                             "],\"leases\":" + leases_of(**group, waiting.request.session) + "}"));
    return true;
  }
  if (node_.clock.monotonic_ns() < waiting.deadline_ns) return false;
  waiting.reply->send(refusal(503, "the checkpoint cannot be written now; acknowledge again"));
  return true;
}

void SubscriptionServer::list(const AdminRequest&, const SharedReply& reply) {
  std::string body = "{\"subscriptions\":[";
  for (const Group& group : subscriptions_.all()) {
    if (body.back() != '[') body += ',';
    render_status(*group, newest_, body);
  }
  reply->send(json(body + "]}"));
}

}  // namespace millrace::sidecar
