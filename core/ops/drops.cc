#include "core/ops/drops.h"

#include <optional>
#include <string>

#include "core/model/value.h"

namespace millrace {

void stage_drop(Commit& commit, Generation generation, std::string_view whose) {
  std::string key;
  append_partition_prefix(kDropGeneration, std::to_string(generation), key);
  commit.put(key, encode_item({{"TableName", Value::string(std::string(whose))}}), false,
             std::nullopt);
}

}  // namespace millrace
