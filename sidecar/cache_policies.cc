#include "sidecar/cache_policies.h"

#include <utility>

#include "core/base/bytes.h"
#include "core/model/schema.h"
#include "sidecar/event_log.h"

namespace millrace::sidecar {
namespace {

bool changes_definitions(const Frame& frame) {
  for (const EntryView& entry : frame) {
    for (const ChangeView& change : entry) {
      if (change.key.size() >= sizeof(Generation) &&
          get_big_endian64(change.key.data()) == kCatalogGeneration)
        return true;
    }
  }
  return false;
}

}  // namespace

CachePolicies::CachePolicies(ByName policies, const Catalog& catalog, Caches caches)
    : policies_(std::move(policies)), catalog_(catalog), caches_(caches) {
  tell();
}

void CachePolicies::on_commit(const FramePtr& frame) {
  if (!policies_.empty() && changes_definitions(*frame)) tell();
}

void CachePolicies::log_absent() const {
  std::string absent;
  for (const auto& [name, policy] : policies_) {
    if (catalog_.find(name) == nullptr) absent += (absent.empty() ? "" : ",") + name;
  }
  if (absent.empty()) return;
  log_event(Severity::kInfo, "cache-policy",
            {{"message", "policies for tables that do not exist yet"}, {"tables", absent}});
}

void CachePolicies::tell() {
  cache::TablePolicies told;
  for (const auto& [name, policy] : policies_) {
    if (const TablePtr table = catalog_.find(name)) told.emplace(table->generation, policy);
  }
  if (caches_.items != nullptr) caches_.items->set_policies(told);
  if (caches_.pages != nullptr) caches_.pages->set_policies(std::move(told));
}

}  // namespace millrace::sidecar
