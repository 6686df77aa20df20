#pragma once

#include <cstdint>
#include <string_view>

namespace millrace {

/// XXH3, 64 bits, seed 0. Persisted: it is the hash of partition keys (and so of shard ranges) and
/// the checksum of log frames.
uint64_t xxh3_64(std::string_view bytes);

}  // namespace millrace
