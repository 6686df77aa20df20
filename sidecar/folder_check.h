#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"

namespace millrace::sidecar {

/// What a look at a data folder found.
struct FolderReport {
  struct Finding {
    std::string part;  // format, log, tables, catalogue, items or indexes
    std::string what;  // with the file where it is known
  };
  std::vector<Finding> findings;  // none: it is sound
  int format = 0;
  std::string region, account;
  uint64_t segments = 0, rewritten_segments = 0, log_bytes = 0, frames = 0;
  uint64_t first_lsn = 0, last_lsn = 0, checkpoint_lsn = 0;
  uint64_t table_files = 0;
  uint64_t tables = 0, items = 0, index_entries = 0;
};

/// Says what is wrong with a data folder that no process uses: its FORMAT; its log, segment by
/// segment and frame by frame, with the checkpoint's place in it; every block of the tables; the
/// definitions; every item; every entry of every index against the items. It goes through a start,
/// recovery and all, with everything that this would write kept in memory: the folder stays as it
/// is. Each damage is told once, where it lies: beside items that cannot be read, entries of their
/// table's indexes are not called strays. kConfig if `path` is no data folder, or in use.
Result<FolderReport> check_folder(const std::string& path, Clock& clock);

std::string report_text(const FolderReport& report);
/// One object of JSON.
std::string report_json(const FolderReport& report);

/// `millrace check`
struct CheckOptions {
  std::string data;
  bool json = false;
};
/// Prints the report; the exit status: 0 sound, 1 damaged, 2 not a folder to be checked.
int check(const CheckOptions& options);

}  // namespace millrace::sidecar
