#include "connectors/kafka_record.h"

#include <cstdio>

#include "core/base/hash.h"
#include "streams/record.h"

namespace millrace::connectors {

std::string kafka_topic_of(std::string_view table_name) {
  constexpr size_t kTopicCharactersMax = 249;
  if (table_name.size() <= kTopicCharactersMax) return std::string(table_name);
  char suffix[18];
  std::snprintf(suffix, sizeof suffix, "-%016llx",
                static_cast<unsigned long long>(xxh3_64(table_name)));
  return std::string(table_name.substr(0, kTopicCharactersMax - 17)) + suffix;
}

void append_kafka_key(const Record& record, std::string& out) {
  streams::render_keys(*record.table, record.change->key, out);
}

}  // namespace millrace::connectors
