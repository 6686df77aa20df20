// What clients hold of streams between calls: no text but the node's own is taken for an iterator,
// and sequence numbers and shards come back from the texts that are taken for them.

#include <cstdint>
#include <cstdlib>

#include "fuzz_target.h"
#include "streams/shard_iterator.h"
#include "streams/stream_ids.h"

namespace {

using namespace millrace;
using namespace millrace::streams;

constexpr int64_t kNowMs = 1'790'000'000'000;

const IteratorSigner& signer() {
  static const IteratorSigner one(std::string(32, 'k'));
  return one;
}

StreamDefinition stream() {
  StreamDefinition stream;
  stream.label = "2026-11-22T10:00:00.000";
  stream.enabled_at = 77;
  stream.created_ms = kNowMs - 1000;
  stream.open_shards(4);
  return stream;
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  ShardIterator iterator;
  iterator.generation = 5;
  iterator.enabled_at = 77;
  iterator.ordinal = 3;
  iterator.from = 1000;
  iterator.issued_ms = kNowMs;
  std::vector<std::string> seeds;
  for (const auto kind : {ShardIterator::Kind::kPosition, ShardIterator::Kind::kHorizon,
                          ShardIterator::Kind::kTime}) {
    iterator.kind = kind;
    seeds.push_back(signer().seal(iterator));
  }
  seeds.push_back(sequence_number(123456789));
  seeds.push_back(shard_id(5, stream(), {3, kNowMs - 1000}));
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto iterator = signer().open(text, kNowMs)) {
    if (signer().seal(*iterator) != text) std::abort();
    if (signer().open(text, kNowMs + 2 * IteratorSigner::kLifeMs)) std::abort();
  }
  if (const auto lsn = parse_sequence_number(text)) {
    if (sequence_number(*lsn).substr(1).find_first_not_of("0123456789") != std::string::npos) {
      std::abort();
    }
    if (parse_sequence_number(sequence_number(*lsn)) != lsn) std::abort();
  }
  const StreamDefinition definition = stream();
  if (const ShardDefinition* shard = find_shard(5, definition, text)) {
    if (shard_id(5, definition, shard->name) != text) std::abort();
  }
  return 0;
}
