#pragma once

#include <leveldb/slice.h>
#include <leveldb/status.h>

#include <string>
#include <string_view>

#include "core/base/result.h"

namespace millrace {

inline leveldb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view string_view_of(const leveldb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

/// What errors of the tables begin with.
inline constexpr std::string_view kTablesErrorStart = "tables: ";

/// LevelDB's error as ours; `status` is not ok.
inline Error table_error(const leveldb::Status& status) {
  return make_error(status.IsCorruption() ? ErrorCode::kCorruption : ErrorCode::kIo,
                    std::string(kTablesErrorStart) + status.ToString());
}

inline Status checked(const leveldb::Status& status) {
  if (status.ok()) return {};
  return table_error(status);
}

}  // namespace millrace
