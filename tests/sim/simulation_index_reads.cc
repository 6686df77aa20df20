#include <algorithm>

#include "tests/sim/failure.h"
#include "tests/sim/simulation.h"

namespace millrace::sim {

std::string Simulation::index_members() {
  auto element = [](const std::string& name, const std::string& role) {
    return "{\"AttributeName\":\"" + name + "\",\"KeyType\":\"" + role + "\"}";
  };
  const std::string by_value = element("v", "RANGE") + "],\"Projection\":{\"ProjectionType\":";
  return ",\"LocalSecondaryIndexes\":[{\"IndexName\":\"byValue\",\"KeySchema\":[" +
         element("p", "HASH") + "," + by_value +
         "\"ALL\"}}],\"GlobalSecondaryIndexes\":[{\"IndexName\":\"ofCount\",\"KeySchema\":[" +
         element("n", "HASH") + "," + by_value +
         "\"KEYS_ONLY\"}},{\"IndexName\":\"ofBoth\",\"KeySchema\":[" + element("n", "HASH") + "," +
         element("p", "HASH") + "," + by_value + "\"INCLUDE\",\"NonKeyAttributes\":[\"pad\"]}}]";
}

// An index answers exactly the durable items of its partition, in the order of its sort key, as far
// as it projects them.
void Simulation::query_index() {
  const uint64_t kind = random_.below(3);
  const char* names[] = {"byValue", "ofCount", "ofBoth"};
  const uint64_t partition = random_.below(kPartitions);
  int64_t count = static_cast<int64_t>(random_.below(4));
  // Most often one that there is.
  for (const auto& [key, item] : model_.durable()) {
    if (item.count && random_.one_in(4)) count = *item.count;
  }
  std::vector<std::pair<uint64_t, std::string>> items;
  for (const auto& [key, item] : model_.durable()) {
    if (kind != 1 && key.partition != partition) continue;
    if (kind != 0 && item.count != count) continue;
    Item shown = item;
    if (kind != 0) {
      shown = Item();
      shown.value = item.value;
      shown.count = item.count;
      if (kind == 2) shown.pad = item.pad;
    }
    items.emplace_back(item.value, json(key, shown));
  }
  const bool forward = random_.one_in(2);
  std::sort(items.begin(), items.end());
  if (!forward) std::reverse(items.begin(), items.end());
  std::vector<std::string> expected;
  for (auto& [value, text] : items) expected.push_back(std::move(text));

  const std::string of_partition = "\":p\":{\"S\":\"" + std::to_string(partition) + "\"}";
  const std::string of_count = "\":n\":{\"N\":\"" + std::to_string(count) + "\"}";
  const std::string conditions[] = {"p = :p", "n = :n", "n = :n AND p = :p"};
  const std::string values[] = {of_partition, of_count, of_count + "," + of_partition};
  const std::string body = std::string("{\"TableName\":\"items\",\"IndexName\":\"") + names[kind] +
                           "\",\"KeyConditionExpression\":\"" + conditions[kind] +
                           "\",\"ExpressionAttributeValues\":{" + values[kind] +
                           "},\"ScanIndexForward\":" + (forward ? "true" : "false") +
                           ",\"Limit\":" + std::to_string(1 + random_.below(4));
  std::vector<std::string> got;
  std::string start;
  for (size_t page = 0;; ++page) {
    require(page <= expected.size() + 1, "a query of an index never ends");
    start = append_page("Query", body + start + "}", got);
    if (start.empty()) break;
  }
  require(got == expected,
          std::string("the index ") + names[kind] + " answers other items than there are");
}

}  // namespace millrace::sim
