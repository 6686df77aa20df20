#include "sidecar/cache_config.h"

#include <yaml-cpp/yaml.h>

#include <charconv>

#include "core/ops/violations.h"
#include "sidecar/config.h"
#include "sidecar/config_reader.h"

namespace millrace::sidecar {
namespace {

Result<cache::Admission> parse_admission(std::string_view text) {
  if (text == "all") return cache::Admission::kAll;
  if (text == "on_read") return cache::Admission::kOnRead;
  return make_error(ErrorCode::kConfig,
                    "'" + std::string(text) +
                        "' is not an admission; write all (what is written is cached) or on_read "
                        "(only what was read is)");
}

/// Whether hits show what they would have consumed.
Result<bool> parse_consumed_capacity(std::string_view text) {
  if (text == "dynamodb") return true;
  if (text == "dax") return false;
  return make_error(ErrorCode::kConfig,
                    "'" + std::string(text) +
                        "' is no way to report capacity; write dynamodb (hits show what they would "
                        "have consumed) or dax (hits leave it out)");
}

/// A fraction.
Result<double> parse_fraction(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Below a billionth there is nothing left to see.
  if (error == std::errc() && end == text.data() + text.size() &&
      (value == 0 || (value >= 1e-9 && value <= 1)))
    return value;
  return make_error(ErrorCode::kConfig, "'" + std::string(text) +
                                            "' is not a fraction; write a number from 0 to 1, such "
                                            "as 0.001");
}

/// A duration in whole seconds; `wanted` says what is to be written.
ConfigReader::Field whole_seconds(const ConfigReader& reader, uint32_t& seconds,
                                  const char* wanted) {
  return [&reader, &seconds, wanted](const YAML::Node& node, const std::string& path) -> Status {
    int64_t ms = 0;
    RETURN_IF_ERROR(reader.parsed<int64_t>(ms, parse_duration, wanted)(node, path));
    seconds = static_cast<uint32_t>(ms / 1000);
    return {};
  };
}

ConfigReader::Field time_to_live(const ConfigReader& reader, uint32_t& seconds) {
  return whole_seconds(reader, seconds, "a duration, 0s for no end");
}

ConfigReader::Fields policy_fields(const ConfigReader& reader, cache::TablePolicy& policy) {
  return {
      {"item_ttl", time_to_live(reader, policy.item_ttl_s)},
      {"negative_ttl", time_to_live(reader, policy.negative_ttl_s)},
      {"query_ttl", time_to_live(reader, policy.query_ttl_s)},
      {"stale_if_error", whole_seconds(reader, policy.stale_if_error_s, "a duration, 0s for none")},
      {"admission",
       reader.parsed<cache::Admission>(policy.admission, parse_admission, "all or on_read")}};
}

/// What a table's policy does not say is as for all tables.
Status read_cache_tables(const ConfigReader& reader, const YAML::Node& node,
                         const std::string& path, CacheConfig& config) {
  if (!node.IsMap()) return reader.wrong_kind(node, path, "a mapping of tables to policies");
  for (const auto& entry : node) {
    ASSIGN_OR_RETURN(const std::string table, reader.key_of(entry.first));
    if (!check_new_table_name(table)) {
      return reader.wrong(entry.first.Mark(),
                          "'" + path + "." + table +
                              "': no table can be called so; write a table's whole name, 3 to 255 "
                              "of a-z, A-Z, 0-9, '_', '-' and '.'");
    }
    const auto [policy, is_new] = config.tables.emplace(table, config.policy);
    if (!is_new) {
      return reader.wrong(entry.first.Mark(),
                          "'" + path + "." + table + "' is there twice; keep one of the two");
    }
    ConfigReader::Fields fields = policy_fields(reader, policy->second);
    fields.emplace_back("enabled",
                        reader.parsed<bool>(policy->second.enabled, parse_bool, "true or false"));
    RETURN_IF_ERROR(reader.mapping(entry.second, path + "." + table, fields));
  }
  return {};
}

}  // namespace

Status read_cache(const ConfigReader& reader, const YAML::Node& node, const std::string& path,
                  CacheConfig& config) {
  ConfigReader::Fields fields = policy_fields(reader, config.policy);
  fields.emplace_back("bytes", reader.parsed<size_t>(config.bytes, parse_size, "a size"));
  fields.emplace_back("query_bytes",
                      reader.parsed<size_t>(config.query_bytes, parse_size, "a size"));
  fields.emplace_back(
      "consumed_capacity",
      reader.parsed<bool>(config.capacity_of_hits, parse_consumed_capacity, "dynamodb or dax"));
  fields.emplace_back("warm_restart",
                      reader.parsed<bool>(config.warm_restart, parse_bool, "true or false"));
  fields.emplace_back("verify",
                      reader.parsed<double>(config.verify, parse_fraction, "a number from 0 to 1"));
  fields.emplace_back("tables", ConfigReader::known);  // below, since they inherit the rest
  RETURN_IF_ERROR(reader.mapping(node, path, fields));
  const YAML::Node tables = node["tables"];
  return tables ? read_cache_tables(reader, tables, path + ".tables", config) : Status();
}

}  // namespace millrace::sidecar
