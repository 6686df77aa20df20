#include "sidecar/subscription_client.h"

#include <simdjson.h>

#include "core/ops/json_fields.h"

namespace millrace::sidecar {
namespace {

namespace dom = simdjson::dom;
using Leases = std::set<std::pair<uint32_t, uint64_t>>;

Error not_understood(std::string_view what) {
  return make_error(ErrorCode::kCorruption,
                    "the sidecar sent what is no answer: " + std::string(what.substr(0, 200)));
}

bool read_lease(dom::element element, streams::Lease& lease) {
  uint64_t shard = 0;
  if (element["shard"].get(shard) || element["epoch"].get(lease.epoch)) return false;
  lease.shard = static_cast<uint32_t>(shard);
  return true;
}

Result<Leases> read_leases(dom::element answer, std::string_view text) {
  dom::array list;
  if (answer["leases"].get(list)) return not_understood(text);
  Leases leases;
  for (dom::element element : list) {
    streams::Lease lease;
    if (!read_lease(element, lease)) return not_understood(text);
    leases.emplace(lease.shard, lease.epoch);
  }
  return leases;
}

}  // namespace

std::string SubscriptionClient::request(const std::string& fields) const {
  std::string body;
  JsonFields json(body);
  json.text("subscription", subscription_);
  if (!session_.empty()) json.text("session", session_);
  json.end();
  if (!fields.empty()) {
    body.back() = ',';
    body += fields + "}";
  }
  return body;
}

Status SubscriptionClient::create(const Creation& creation) const {
  std::string tables = "[";
  for (const std::string& table : creation.tables) {
    if (tables.size() > 1) tables += ',';
    render_json_string(table, tables);
  }
  std::string body;
  JsonFields json(body);
  json.text("subscription", subscription_);
  json.raw("tables", tables + "]");
  json.text("from", creation.from);
  json.integer("shards", creation.shards);
  if (!creation.filter.empty()) json.raw("filter", creation.filter);
  json.end();
  RETURN_IF_ERROR(client_.post("/v1/subscriptions/create", body));
  return {};
}

Status SubscriptionClient::join(const std::string& member, int64_t timeout_ms) {
  session_.clear();
  received_ = 0;
  std::string fields = "\"member\":";
  render_json_string(member, fields);
  fields += ",\"timeout_ms\":" + std::to_string(timeout_ms);
  ASSIGN_OR_RETURN(const std::string answer,
                   client_.post("/v1/subscriptions/join", request(fields)));
  dom::parser parser;
  dom::element json;
  std::string_view session;
  if (parser.parse(answer).get(json) || json["session"].get(session)) return not_understood(answer);
  session_ = session;
  return {};
}

Status SubscriptionClient::leave() const {
  RETURN_IF_ERROR(client_.post("/v1/subscriptions/leave", request("")));
  return {};
}

Result<SubscriptionClient::Polled> SubscriptionClient::poll(int64_t wait_ms, int64_t records) {
  Polled polled;
  ASSIGN_OR_RETURN(polled.body, client_.post("/v1/subscriptions/poll",
                                             request("\"received\":" + std::to_string(received_) +
                                                     ",\"wait_ms\":" + std::to_string(wait_ms) +
                                                     ",\"records\":" + std::to_string(records))));
  dom::parser parser;
  dom::element json;
  uint64_t delivery = 0;
  bool first = true;
  for (size_t at = 0; at < polled.body.size();) {
    const size_t end = polled.body.find('\n', at);
    const std::string_view line = std::string_view(polled.body).substr(at, end + 1 - at);
    if (end == std::string::npos || parser.parse(line.data(), line.size()).get(json))
      return not_understood(line);
    at = end + 1;
    if (std::exchange(first, false)) {
      if (json["delivery"].get(delivery)) return not_understood(line);
      ASSIGN_OR_RETURN(polled.leases, read_leases(json, line));
      continue;
    }
    Event& event = polled.events.emplace_back();
    event.line = line;
    event.trimmed = !json["trimmed"].get(event.lsn);
    if (!read_lease(json, event.lease) || (!event.trimmed && json["lsn"].get(event.lsn)))
      return not_understood(line);
  }
  if (first) return not_understood(polled.body);
  received_ = delivery;
  return polled;
}

Result<Leases> SubscriptionClient::acknowledge(
    const std::map<std::pair<uint32_t, uint64_t>, Lsn>& done) const {
  std::string list;
  for (const auto& [lease, lsn] : done) {
    if (!list.empty()) list += ',';
    JsonFields json(list);
    json.integer("shard", lease.first);
    json.integer("epoch", static_cast<int64_t>(lease.second));
    json.integer("lsn", static_cast<int64_t>(lsn));
    json.end();
  }
  ASSIGN_OR_RETURN(
      const std::string answer,
      client_.post("/v1/subscriptions/acknowledge", request("\"acknowledged\":[" + list + "]")));
  dom::parser parser;
  dom::element json;
  if (parser.parse(answer).get(json)) return not_understood(answer);
  return read_leases(json, answer);
}

}  // namespace millrace::sidecar
