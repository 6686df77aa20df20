#pragma once

#include <vector>

#include "core/ops/catalog.h"
#include "core/store/log_rewrite.h"
#include "streams/change_reader.h"

namespace millrace::streams {

/// What a living subscription still needs of the log.
struct ReaderNeeds {
  Lsn from = 0;  // the next LSN
  TableFilter tables;
};

/// Whether one of the table's streams, be it disabled since, has the change at `lsn`.
bool has_stream_over(const Table& table, Lsn lsn);

/// Which changes somebody may still ask for: definitions, since every follower learns tables from
/// them; what a stream has, until it is trimmed for its age; and what a subscription has yet to
/// read. Nobody reads the other hidden tables from the log. As of now: tables that come later have
/// changes behind all that is in the log.
NeededChange needed_changes(const Catalog& catalog, const std::vector<ReaderNeeds>& readers);

}  // namespace millrace::streams
