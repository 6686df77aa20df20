#include "sidecar/hot_keys.h"

#include <simdjson.h>

#include <algorithm>
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

/// To the thousandth: a share of rates rounded to tenths could be more than all.
std::string render_rate(double per_second) {
  char digits[64];
  const int size = std::snprintf(digits, sizeof digits, "%.3f", per_second);
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

struct Owner {
  TablePtr table;
  const Index* index = nullptr;  // of `table`; none: the table itself
};
using Owners = std::map<Generation, Owner>;

/// The tables whose keys are named, and their indexes. No deleted one is: its keys would stand
/// under the name of a table that was created since.
Owners asked_owners(const Question& question, const Catalog& catalog) {
  Owners asked;
  const std::vector<TablePtr> tables =
      question.table != nullptr ? std::vector{question.table} : catalog.tables();
  for (const TablePtr& table : tables) {
    asked[table->generation] = {table};
    for (const Index& index : table->indexes) asked[index.generation] = {table, &index};
  }
  return asked;
}

using RenderKey = void(const Owner& owner, std::string_view key, std::string& out);

void render_item_key(const Owner& owner, std::string_view key, std::string& out) {
  streams::render_keys(*owner.table, key, out);
}

void render_partition(const Owner& owner, std::string_view prefix, std::string& out) {
  out += '{';
  if (owner.index == nullptr) {
    if (const Result<StoreKeyView> key = split_store_key(prefix))
      streams::render_key_attribute(owner.table->key.partition, key->partition_scalar, out);
  } else {
    const std::vector<std::string> scalars = index_partition_scalars(prefix);
    const std::vector<KeyAttribute>& attributes = owner.index->key.partition;
    for (size_t i = 0; i < std::min(scalars.size(), attributes.size()); ++i) {
      if (i > 0) out += ',';
      streams::render_key_attribute(attributes[i], scalars[i], out);
    }
  }
  out += '}';
}

void render(const cache::HotKey& hot, const Owner& owner, RenderKey* render_key, double window_s,
            std::string& out) {
  const auto rate = [window_s](uint64_t count) {
    return render_rate(static_cast<double>(count) / window_s);
  };
  JsonFields json(out);
  json.text("table", owner.table->name);
  if (owner.index != nullptr) json.text("index", owner.index->name);
  std::string key;
  render_key(owner, hot.key, key);
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

/// What is asked for, and how the answer names it.
struct Kind {
  cache::HotKeysReport (cache::ItemCache::*report)(size_t, const cache::HotTraffic::IsAsked&) const;
  const char* member;
  RenderKey* render_key;
};

AdminResponse hottest(const Kind& kind, const AdminRequest& request, const Catalog& catalog,
                      const cache::ItemCache* cache) {
  if (cache == nullptr) return refusal(409, "there is no cache: it is switched off");
  const Result<Question> question = read_question(request, catalog);
  if (!question) return refusal(question.error());
  const Owners asked = asked_owners(*question, catalog);
  const cache::HotKeysReport report = (cache->*kind.report)(
      question->limit, [&](Generation generation) { return asked.contains(generation); });
  std::string keys = "[";
  for (const cache::HotKey& hot : report.keys) {
    if (keys.size() > 1) keys += ',';
    render(hot, asked.at(get_big_endian64(hot.key.data())), kind.render_key, report.window_s, keys);
  }
  AdminResponse response;
  JsonFields json(response.body);
  json.raw("requests_per_second",
           render_rate(static_cast<double>(report.requests) / report.window_s));
  json.raw(kind.member, keys + "]");
  json.end();
  response.body += '\n';
  return response;
}

}  // namespace

AdminResponse hot_keys(const AdminRequest& request, const Catalog& catalog,
                       const cache::ItemCache* cache) {
  return hottest({&cache::ItemCache::hot_keys, "keys", render_item_key}, request, catalog, cache);
}

AdminResponse hot_partitions(const AdminRequest& request, const Catalog& catalog,
                             const cache::ItemCache* cache) {
  return hottest({&cache::ItemCache::hot_partitions, "partitions", render_partition}, request,
                 catalog, cache);
}

Result<std::string> describe_hot_keys(std::string_view json) {
  dom::parser parser;
  dom::element answer;
  dom::array keys;
  if (parser.parse(simdjson::padded_string(json)).get(answer) ||
      (answer["keys"].get(keys) && answer["partitions"].get(keys))) {
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
                  all > 0 ? std::min(100.0, 100 * (reads + writes) / all) : 0);
    std::string_view table, index;
    dom::element attributes;
    if (key["table"].get(table) || key["key"].get(attributes)) continue;
    out.append(rates).append(table);
    if (!key["index"].get(index)) out.append("/").append(index);
    out.append(" ").append(simdjson::minify(attributes)).append("\n");
  }
  return out;
}

Status show_hot_keys(const HotKeysCommand& command) {
  AdminClientOptions options;
  options.host = command.admin.host;
  options.port = command.admin.port;
  std::string target = command.partitions ? "/v1/cache/hot-partitions" : "/v1/cache/hot-keys";
  target += "?limit=" + std::to_string(command.limit);
  if (!command.table.empty()) target += "&table=" + AdminClient::percent_encode(command.table);
  ASSIGN_OR_RETURN(std::string answer, AdminClient(options).get(target));
  if (!command.json) {
    ASSIGN_OR_RETURN(answer, describe_hot_keys(answer));
  }
  std::fputs(answer.c_str(), stdout);
  return {};
}

}  // namespace millrace::sidecar
