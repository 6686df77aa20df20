// What reading a stream costs in process: GetRecords page by page over all shards, items of 200
// bytes. The argument is the number of records in the stream; the rate is that of records.

#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <string>

#include "../stream_node.h"

namespace millrace::streams {
namespace {

constexpr uint64_t kSegmentBytes = 64u << 20;
constexpr int64_t kBatch = 100;
// With the key and the names of both attributes.
constexpr size_t kValueBytes = 200 - 13;

/// A node with a table of this many records in its stream, made once.
StreamNode& filled(int64_t records) {
  static std::map<int64_t, std::unique_ptr<StreamNode>> nodes;
  std::unique_ptr<StreamNode>& node = nodes[records];
  if (node != nullptr) return *node;
  node = std::make_unique<StreamNode>(kSegmentBytes);
  node->create_table("films", StreamViewType::kNewAndOldImages);
  const std::string value(kValueBytes, 'v');
  for (int64_t i = 0; i < records; i += kBatch) {
    node->run([&](Commit& commit) {
      for (int64_t j = i; j < i + kBatch; ++j) {
        std::string key, text = std::to_string(1'000'000'000 + j);
        append_partition_prefix(node->catalog().find("films")->generation, text, key);
        commit.put(key, encode_item(StreamNode::item(text, value)), false, std::nullopt);
      }
    });
    node->maintain();
  }
  node->step_index();
  return *node;
}

size_t read_shard(StreamNode& node, const Stream& stream, uint32_t ordinal) {
  size_t count = 0;
  std::string page;
  std::string iterator =
      node.streams().iterator(stream, ordinal, IteratorType::kTrimHorizon, 0, 0).value();
  for (;;) {
    page.clear();
    const RecordsPage read = node.streams().read(iterator, Streams::kRecordsMax, page).value();
    benchmark::DoNotOptimize(page.data());
    if (read.count == 0) return count;
    count += read.count;
    iterator = *read.next;
  }
}

void BM_get_records(benchmark::State& state) {
  StreamNode& node = filled(state.range(0));
  const Stream stream = node.stream_of("films");
  size_t count = 0;
  for (auto _ : state) {
    size_t found = 0;
    for (const ShardDefinition& shard : stream.definition().shards) {
      found += read_shard(node, stream, shard.name.ordinal);
    }
    if (found != static_cast<size_t>(state.range(0))) state.SkipWithError("records are missing");
    count += found;
  }
  state.SetItemsProcessed(static_cast<int64_t>(count));
}
BENCHMARK(BM_get_records)->Arg(1000)->Arg(300'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace::streams
