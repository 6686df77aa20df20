#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cache/item_cache.h"
#include "core/base/result.h"
#include "core/net/admin_server.h"
#include "core/ops/catalog.h"
#include "sidecar/config.h"

namespace millrace::sidecar {

/// GET /v1/cache/hot-keys?limit=N&table=T: the most requested keys (10; of all tables), as
/// `{"requests_per_second":R,"keys":[{"table":..,"key":{..},"reads_per_second":..,
/// "writes_per_second":..,"excess_per_second":..}]}`. `cache` null: there is none.
AdminResponse hot_keys(const AdminRequest& request, const Catalog& catalog,
                       const cache::ItemCache* cache);
/// GET /v1/cache/hot-partitions: the same of partitions, as `"partitions":[..]`; those of an index
/// have `"index":..` too.
AdminResponse hot_partitions(const AdminRequest& request, const Catalog& catalog,
                             const cache::ItemCache* cache);

/// `millrace cache hot [TABLE]`
struct HotKeysCommand {
  std::string table;  // empty: all
  bool partitions = false;
  uint32_t limit = 10;
  bool json = false;
  Address admin{"127.0.0.1", 8001};
};

/// Prints them.
Status show_hot_keys(const HotKeysCommand& command);

/// What these requests answer, for people: a line each. kCorruption if it is no such answer.
Result<std::string> describe_hot_keys(std::string_view json);

}  // namespace millrace::sidecar
