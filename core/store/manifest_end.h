#pragma once

#include <cstddef>
#include <string_view>

namespace millrace {

/// How many of a LevelDB manifest's bytes can be read. A power cut within a write to it may leave
/// some pages of the last record and not others, for which LevelDB refuses to open; but what was
/// never synced was never relied on, and each record is synced before the next is written. So a
/// record that does not check out ends the manifest if no record that does follows it. If one does,
/// the file is damaged, and all its bytes are left for LevelDB to say so.
/// Source: LevelDB, doc/log_format.md.
size_t manifest_end(std::string_view bytes);

}  // namespace millrace
