#include "sidecar/subscription_requests.h"

#include <simdjson.h>

#include <algorithm>
#include <functional>
#include <map>

#include "sidecar/config.h"

namespace millrace::sidecar {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kMemberBytesMax = 200;

Error wrong(std::string_view name, std::string_view expected) {
  return validation_error("'" + std::string(name) + "' must be " + std::string(expected));
}

using Field = std::function<Status(dom::element)>;
using Fields = std::map<std::string, Field, std::less<>>;

/// Gives each member of an object to the field of its name.
Status read_members(dom::object object, const Fields& fields) {
  for (auto [key, value] : object) {
    auto field = fields.find(key);
    if (field != fields.end()) {
      RETURN_IF_ERROR(field->second(value));
      continue;
    }
    std::vector<std::string> known;
    for (const auto& [name, unused] : fields) known.push_back(name);
    std::string near = did_you_mean(key, known);
    std::string message = "'" + std::string(key.substr(0, 100)) + "' is not known here";
    if (!near.empty()) message += "; did you mean '" + near + "'?";
    return validation_error(message);
  }
  return {};
}

Status read_body(std::string_view body, const Fields& fields) {
  thread_local dom::parser parser;
  dom::object object;
  if (parser.parse(simdjson::padded_string(body)).get(object))
    return validation_error("the body must be an object of JSON");
  return read_members(object, fields);
}

Field text(const char* name, std::string& out, size_t bytes_max = 1000) {
  return [=, &out](dom::element value) -> Status {
    std::string_view read;
    if (value.get(read) || read.size() > bytes_max)
      return wrong(name, "a string of at most " + std::to_string(bytes_max) + " bytes");
    out = read;
    return {};
  };
}

template <typename Integer>
Field integer(const char* name, Integer& out, int64_t least, int64_t most) {
  return [=, &out](dom::element value) -> Status {
    int64_t read = 0;
    if (value.get(read) || read < least || read > most) {
      return wrong(name,
                   "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    out = static_cast<Integer>(read);
    return {};
  };
}

/// As on the command line; a number is as good as its text.
Field place(streams::StartAt& out) {
  return [&out](dom::element value) -> Status {
    std::string_view read;
    std::string printed;
    if (value.get(read)) {
      printed = simdjson::minify(value);
      read = printed;
    }
    auto start = streams::StartAt::parse(read.substr(0, 100));
    if (!start) return validation_error("'from': " + start.error().message);
    out = *start;
    return {};
  };
}

Field tables(std::vector<std::string>& out) {
  return [&out](dom::element value) -> Status {
    dom::array names;
    if (value.get(names)) return wrong("tables", "a list of table names");
    for (dom::element element : names) {
      std::string_view name;
      if (element.get(name) || name.size() > 255 ||
          out.size() == streams::SubscriptionDefinition::kTablesMax) {
        return wrong("tables", "a list of at most 100 table names");
      }
      out.emplace_back(name);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return {};
  };
}

/// Kept without needless blanks. What it says is checked with the definition.
Field filter(std::string& out) {
  return [&out](dom::element value) -> Status {
    if (!value.is_object()) return wrong("filter", "an event pattern, an object of JSON");
    out = simdjson::minify(value);
    return {};
  };
}

Field entries(std::vector<AcknowledgeRequest::Entry>& out) {
  return [&out](dom::element value) -> Status {
    dom::array list;
    if (value.get(list)) return wrong("acknowledged", "a list of {shard, epoch, lsn}");
    for (dom::element element : list) {
      dom::object object;
      if (element.get(object) || out.size() == AcknowledgeRequest::kShardsMax)
        return wrong("acknowledged", "a list of at most 64 of {shard, epoch, lsn}");
      AcknowledgeRequest::Entry& entry = out.emplace_back();
      RETURN_IF_ERROR(
          read_members(object, {{"shard", integer("shard", entry.lease.shard, 0, UINT32_MAX)},
                                {"epoch", integer("epoch", entry.lease.epoch, 0, INT64_MAX)},
                                {"lsn", integer("lsn", entry.lsn, 0, INT64_MAX)}}));
    }
    return {};
  };
}

Status required(const char* name, const std::string& value) {
  if (value.empty()) return validation_error("'" + std::string(name) + "' is missing");
  return {};
}

Fields session_fields(SessionRequest& request) {
  return {{"subscription", text("subscription", request.subscription)},
          {"session", text("session", request.session)}};
}

Status check_session(const SessionRequest& request) {
  RETURN_IF_ERROR(required("subscription", request.subscription));
  return required("session", request.session);
}

}  // namespace

Result<CreateRequest> parse_create(std::string_view body) {
  CreateRequest request;
  streams::SubscriptionDefinition& definition = request.definition;
  RETURN_IF_ERROR(
      read_body(body, {{"subscription", text("subscription", definition.name)},
                       {"tables", tables(definition.tables)},
                       {"from", place(request.from)},
                       {"filter", filter(definition.filter)},
                       {"shards", integer("shards", definition.shards, 1,
                                          streams::SubscriptionDefinition::kShardsMax)}}));
  RETURN_IF_ERROR(required("subscription", definition.name));
  RETURN_IF_ERROR(streams::check_definition(definition));
  return request;
}

Result<DeleteRequest> parse_delete(std::string_view body) {
  DeleteRequest request;
  RETURN_IF_ERROR(read_body(body, {{"subscription", text("subscription", request.subscription)}}));
  RETURN_IF_ERROR(required("subscription", request.subscription));
  return request;
}

Result<ResetRequest> parse_reset(std::string_view body) {
  ResetRequest request;
  bool placed = false;
  RETURN_IF_ERROR(read_body(body, {{"subscription", text("subscription", request.subscription)},
                                   {"from", [&](dom::element value) {
                                      placed = true;
                                      return place(request.from)(value);
                                    }}}));
  RETURN_IF_ERROR(required("subscription", request.subscription));
  if (!placed) return validation_error("'from' is missing");
  return request;
}

Result<JoinRequest> parse_join(std::string_view body) {
  JoinRequest request;
  RETURN_IF_ERROR(
      read_body(body, {{"subscription", text("subscription", request.subscription)},
                       {"member", text("member", request.member, kMemberBytesMax)},
                       {"timeout_ms", integer("timeout_ms", request.timeout_ms, 0, INT32_MAX)}}));
  RETURN_IF_ERROR(required("subscription", request.subscription));
  return request;
}

Result<SessionRequest> parse_leave(std::string_view body) {
  SessionRequest request;
  RETURN_IF_ERROR(read_body(body, session_fields(request)));
  RETURN_IF_ERROR(check_session(request));
  return request;
}

Result<PollRequest> parse_poll(std::string_view body) {
  PollRequest request;
  Fields fields = session_fields(request);
  fields["received"] = integer("received", request.received, 0, INT64_MAX);
  fields["wait_ms"] = integer("wait_ms", request.wait_ms, 0, PollRequest::kWaitMsMax);
  fields["records"] = integer("records", request.records, 1, PollRequest::kRecordsMax);
  fields["bytes"] = integer("bytes", request.bytes, 1, PollRequest::kBytesMax);
  RETURN_IF_ERROR(read_body(body, fields));
  RETURN_IF_ERROR(check_session(request));
  return request;
}

Result<AcknowledgeRequest> parse_acknowledge(std::string_view body) {
  AcknowledgeRequest request;
  Fields fields = session_fields(request);
  fields["acknowledged"] = entries(request.acknowledged);
  RETURN_IF_ERROR(read_body(body, fields));
  RETURN_IF_ERROR(check_session(request));
  return request;
}

}  // namespace millrace::sidecar
