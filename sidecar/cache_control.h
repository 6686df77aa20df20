#pragma once

#include <optional>
#include <string>

#include "core/net/admin_server.h"
#include "core/ops/catalog.h"
#include "sidecar/cache_policies.h"
#include "sidecar/config.h"

namespace millrace::sidecar {

/// POST /v1/cache/flush: drops what is cached. The body is a JSON object: `table` and `key` (of one
/// item, as DynamoDB's JSON) say of what, both optional; with `key` all pages of the table go too.
/// Answers how many entries went: `{"items":N,"pages":N}`.
AdminResponse flush_caches(const AdminRequest& request, const Catalog& catalog, Caches caches);

/// `millrace cache flush [TABLE [KEY]]`
struct CacheCommand {
  std::optional<std::string> table;  // none: all
  std::optional<std::string> key;    // DynamoDB JSON; none: all of the table
  Address admin{"127.0.0.1", 8001};
};

/// Sends it to the sidecar and prints what became of it.
Status command_cache(const CacheCommand& command);

}  // namespace millrace::sidecar
