#include "sidecar/hot_keys.h"

#include <simdjson.h>

#include <charconv>
#include <cstdio>
#include <map>

#include "core/base/bytes.h"
#include "core/model/schema.h"
#include "core/net/admin_client.h"
#include "core/ops/json_fields.h"
#include "sidecar/admin_answers.h"
#include "streams/record.h"

namespace millrace::sidecar {
namespace {

namespace dom = simdjson::dom;

constexpr uint32_t kLimitMax = 1000;

std::string one_decimal(double value) {
  char digits[64];
  const int size = std::snprintf(digits, sizeof digits, "%.1f", value);
  return {digits, static_cast<size_t>(size)};
}

Result<uint32_t> parse_limit(std::string_view text) {
  uint32_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit < 1 || limit > kLimitMax) {
    return validation_error("limit: '" + std::string(text) + "' is not a number from 1 to " +
                            std::to_string(kLimitMax));
  }
  return limit;
}

struct Question {
  uint32_t limit = HotKeysCommand().limit;
  TablePtr table;  // null: all
};

Result<Question> read_question(const AdminRequest& request, const Catalog& catalog) {
  Question question;
  for (const auto& [name, value] : request.query) {
    if (name == "limit") {
      ASSIGN_OR_RETURN(question.limit, parse_limit(value));
    } else if (name == "table") {
      question.table = catalog.find(value);
      if (question.table == nullptr)
        return make_error(ErrorCode::kResourceNotFound, no_such_table(catalog, value));
    } else {
      return validation_error("there is no parameter '" + name + "'; known are limit and table");
    }
  }
  return question;
}

/// The tables whose keys are named. No deleted one is: its keys would stand under the name of a
/// table that was created since.
std::map<Generation, TablePtr> asked_tables(const Question& question, const Catalog& catalog) {
  std::map<Generation, TablePtr> asked;
  if (question.table != nullptr) {
    asked.emplace(question.table->generation, question.table);
  } else {
    for (const TablePtr& table : catalog.tables()) asked.emplace(table->generation, table);
  }
  return asked;
}

void render(const cache::HotKey& hot, const Table& table, double window_s, std::string& out) {
  const auto rate = [window_s](uint64_t count) {
    return one_decimal(static_cast<double>(count) / window_s);
  };
  JsonFields json(out);
  json.text("table", table.name);
  std::string key;
  streams::render_keys(table, hot.key, key);
  json.raw("key", key);
  json.raw("reads_per_second", rate(hot.reads));
  json.raw("writes_per_second", rate(hot.writes));
  json.raw("excess_per_second", rate(hot.excess));
  json.end();
}

double number_of(dom::element element, const char* name) {
  double number = 0;
  return element[name].get(number) ? 0 : number;
}

}  // namespace

AdminResponse hot_keys(const AdminRequest& request, const Catalog& catalog,
                       const cache::ItemCache* cache) {
  if (cache == nullptr) return refusal(409, "there is no cache: it is switched off");
  const Result<Question> question = read_question(request, catalog);
  if (!question) return refusal(question.error());
  const std::map<Generation, TablePtr> asked = asked_tables(*question, catalog);
  const cache::HotKeysReport report = cache->hot_keys(
      question->limit, [&](Generation generation) { return asked.contains(generation); });
  std::string keys = "[";
  for (const cache::HotKey& hot : report.keys) {
    if (keys.size() > 1) keys += ',';
    render(hot, *asked.at(get_big_endian64(hot.key.data())), report.window_s, keys);
  }
  AdminResponse response;
  JsonFields json(response.body);
  json.raw("requests_per_second",
           one_decimal(static_cast<double>(report.requests) / report.window_s));
  json.raw("keys", keys + "]");
  json.end();
  response.body += '\n';
  return response;
}

Result<std::string> describe_hot_keys(std::string_view json) {
  dom::parser parser;
  dom::element answer;
  dom::array keys;
  if (parser.parse(simdjson::padded_string(json)).get(answer) || answer["keys"].get(keys)) {
    return make_error(ErrorCode::kCorruption, "the sidecar sent what is no list of keys: " +
                                                  std::string(json.substr(0, 200)));
  }
  const double all = number_of(answer, "requests_per_second");
  std::string out = "  reads/s  writes/s  of all  table and key\n";
  for (dom::element key : keys) {
    const double reads = number_of(key, "reads_per_second");
    const double writes = number_of(key, "writes_per_second");
    char rates[128];
    std::snprintf(rates, sizeof rates, "%9.1f %9.1f %6.1f%%  ", reads, writes,
                  all > 0 ? 100 * (reads + writes) / all : 0);
    std::string_view table;
    dom::element attributes;
    if (key["table"].get(table) || key["key"].get(attributes)) continue;
    out.append(rates).append(table).append(" ").append(simdjson::minify(attributes)).append("\n");
  }
  return out;
}

Status show_hot_keys(const HotKeysCommand& command) {
  AdminClientOptions options;
  options.host = command.admin.host;
  options.port = command.admin.port;
  std::string target = "/v1/cache/hot-keys?limit=" + std::to_string(command.limit);
  if (!command.table.empty()) target += "&table=" + AdminClient::percent_encode(command.table);
  ASSIGN_OR_RETURN(std::string answer, AdminClient(options).get(target));
  if (!command.json) {
    ASSIGN_OR_RETURN(answer, describe_hot_keys(answer));
  }
  std::fputs(answer.c_str(), stdout);
  return {};
}

}  // namespace millrace::sidecar
