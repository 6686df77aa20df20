#include "sidecar/subscriptions_command.h"

#include <simdjson.h>

#include <cstdio>

#include "core/net/admin_client.h"
#include "core/ops/json_fields.h"

namespace millrace::sidecar {
namespace {

namespace dom = simdjson::dom;

std::string text_of(dom::element element, const char* name) {
  std::string_view text;
  return element[name].get(text) ? "" : std::string(text);
}

int64_t number_of(dom::element element, const char* name) {
  int64_t number = 0;
  return element[name].get(number) ? 0 : number;
}

void describe(dom::element subscription, std::string& out) {
  dom::array tables, members, shards;
  if (subscription["tables"].get(tables) || subscription["members"].get(members) ||
      subscription["shards"].get(shards))
    return;
  out += text_of(subscription, "subscription") + "  ";
  std::string names;
  for (dom::element table : tables) {
    std::string_view name;
    if (table.get(name)) continue;
    if (!names.empty()) names += ", ";
    names += name;
  }
  out += (names.empty() ? "all tables" : names) + "  shards=" + std::to_string(shards.size()) +
         " members=" + std::to_string(members.size());
  int64_t unacknowledged = 0;
  for (dom::element shard : shards) unacknowledged += number_of(shard, "unacknowledged_records");
  double seconds = 0;
  if (subscription["lag_seconds"].get(seconds)) seconds = 0;
  char lag[32];
  std::snprintf(lag, sizeof lag, "%.1f", seconds);
  out += " lag=" + std::string(lag) + "s/" +
         std::to_string(number_of(subscription, "lag_records")) +
         " unacknowledged=" + std::to_string(unacknowledged) +
         " gaps=" + std::to_string(number_of(subscription, "gaps")) + "\n";
  for (dom::element member : members) {
    out += "    " + text_of(member, "member") +
           "  shards=" + std::to_string(number_of(member, "shards")) + "\n";
  }
}

}  // namespace

Result<std::string> describe_subscriptions(std::string_view json, std::string_view name) {
  dom::parser parser;
  dom::array subscriptions;
  if (parser.parse(simdjson::padded_string(json))["subscriptions"].get(subscriptions)) {
    return make_error(
        ErrorCode::kCorruption,
        "the sidecar sent what is no list of subscriptions: " + std::string(json.substr(0, 200)));
  }
  std::string out;
  for (dom::element subscription : subscriptions) {
    if (name.empty() || text_of(subscription, "subscription") == name) describe(subscription, out);
  }
  if (out.empty() && !name.empty()) {
    return make_error(ErrorCode::kResourceNotFound,
                      "there is no subscription '" + std::string(name) + "'");
  }
  return out;
}

Status manage_subscriptions(const SubscriptionsCommand& command) {
  using Action = SubscriptionsCommand::Action;
  AdminClientOptions options;
  options.host = command.admin.host;
  options.port = command.admin.port;
  options.answer_timeout_ms = 30'000;
  AdminClient client(options);
  if (command.action == Action::kList) {
    ASSIGN_OR_RETURN(std::string list, client.get("/v1/subscriptions"));
    std::string text = list;
    if (!command.json) {
      ASSIGN_OR_RETURN(text, describe_subscriptions(list, command.name));
    }
    std::fputs(text.c_str(), stdout);
    return {};
  }
  std::string body;
  JsonFields json(body);
  json.text("subscription", command.name);
  if (command.action == Action::kReset) json.text("from", command.from);
  json.end();
  const bool reset = command.action == Action::kReset;
  RETURN_IF_ERROR(
      client.post(reset ? "/v1/subscriptions/reset" : "/v1/subscriptions/delete", body));
  std::printf("%s %s\n", reset ? "reset" : "deleted", command.name.c_str());
  return {};
}

}  // namespace millrace::sidecar
