#include <algorithm>

#include "core/store/engine.h"

namespace millrace {

void EngineOptions::fit_to_disk(uint64_t bytes) {
  // Powers of two, so that a disk that is a little fuller does not make recycled segments useless.
  auto at_most = [bytes](auto usual, uint64_t part, uint64_t least) {
    uint64_t size = least;
    while (size < usual && 2 * size <= bytes / part) size *= 2;
    return static_cast<decltype(usual)>(std::min<uint64_t>(size, usual));
  };
  constexpr uint64_t kMb = 1u << 20;
  log.segment_bytes = at_most(log.segment_bytes, 32, kMb);
  memory_table_bytes = at_most(memory_table_bytes, 32, kMb);
  memory_tables_bytes_max = at_most(memory_tables_bytes_max, 16, 2 * kMb);
  checkpoint_bytes = at_most(checkpoint_bytes, 16, 2 * kMb);
  table_file_bytes = at_most(table_file_bytes, 64, kMb);
}

}  // namespace millrace
