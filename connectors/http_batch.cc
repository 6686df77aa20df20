#include "connectors/http_batch.h"

#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "connectors/event_record.h"
#include "core/model/item_json.h"
#include "streams/change_feed.h"
#include "streams/stream_ids.h"

namespace millrace::connectors {
namespace {

constexpr std::string_view kBegin = "{\"Records\":[";
constexpr std::string_view kEnd = "]}";

void append_record(const Record& record, std::string_view region, std::string_view account,
                   std::string& out) {
  append_event_record(record, region, account, out);
  out.pop_back();  // the closing brace
  out += ",\"millrace\":{\"lsn\":";
  out += std::to_string(record.change->lsn);
  out += ",\"table\":";
  render_json_string(record.table->name, out);
  streams::render_transaction(*record.change, *record.entry, out);
  out += "}}";
}

/// The place in `lsns` of the change that a failure names; 0 if it names none, since what is not
/// understood must not acknowledge anything.
size_t place_of(simdjson::dom::element failure, std::span<const Lsn> lsns) {
  std::string_view identifier;
  if (failure["itemIdentifier"].get(identifier) != simdjson::SUCCESS) return 0;
  const std::optional<Lsn> lsn = streams::parse_sequence_number(identifier);
  if (!lsn) return 0;
  const auto found = std::lower_bound(lsns.begin(), lsns.end(), *lsn);
  if (found == lsns.end() || *found != *lsn) return 0;
  return static_cast<size_t>(found - lsns.begin());
}

}  // namespace

bool HttpBatch::add(const Record& record, std::string_view region, std::string_view account,
                    const Limits& limits) {
  if (lsns_.size() >= limits.records) return false;
  const size_t before = body_.size();
  body_ += empty() ? kBegin : ",";
  append_record(record, region, account, body_);
  if (!empty() && body_.size() + kEnd.size() > limits.bytes) {
    body_.resize(before);
    return false;
  }
  if (empty()) first_ticket_ = record.ticket;
  lsns_.push_back(record.change->lsn);
  return true;
}

std::string HttpBatch::take_body() {
  body_ += kEnd;
  return std::exchange(body_, {});
}

Result<size_t> acknowledged_by(std::string_view body, std::span<const Lsn> lsns) {
  const size_t begin = body.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || body[begin] != '{') return lsns.size();
  simdjson::dom::parser parser;
  simdjson::dom::object answer;
  if (parser.parse(body.data(), body.size()).get(answer) != simdjson::SUCCESS)
    return make_error(ErrorCode::kUnavailable,
                      "the body of the answer is not the JSON object that "
                      "it begins as, so what it acknowledges is unknown");
  simdjson::dom::element failures;
  if (answer["batchItemFailures"].get(failures) != simdjson::SUCCESS || failures.is_null())
    return lsns.size();
  simdjson::dom::array list;
  if (failures.get(list) != simdjson::SUCCESS) return size_t{0};
  size_t acknowledged = lsns.size();
  for (simdjson::dom::element failure : list)
    acknowledged = std::min(acknowledged, place_of(failure, lsns));
  return acknowledged;
}

}  // namespace millrace::connectors
