#include "cache/warm_restart.h"

#include <utility>

#include "core/base/check.h"

namespace millrace::cache {
namespace {

// Few enough for a fifth of a millisecond, also where time stands still.
constexpr size_t kKeysReadAtOnce = 64;
constexpr size_t kKeysCollectedAtOnce = 256;
constexpr int64_t kStepNs = 200'000;

}  // namespace

WarmRestart::WarmRestart(ItemCache& cache, Engine& engine, Disk& disk, Clock& clock,
                         WarmRestartOptions options)
    : cache_(cache),
      engine_(engine),
      disk_(disk),
      clock_(clock),
      options_(std::move(options)),
      collected_ns_(clock.monotonic_ns()) {}

Result<bool> WarmRestart::step() {
  if (!done_.load(std::memory_order_relaxed)) {
    Result<bool> more = warm();
    if (more && *more) return true;
    done_.store(true, std::memory_order_release);
    std::string().swap(file_);
    return more;
  }
  if (!collected_) {
    const int64_t now_ns = clock_.monotonic_ns();
    if (now_ns - collected_ns_ < options_.save_interval_ms * 1'000'000) return false;
    collected_ns_ = now_ns;
    const uint64_t activity_now = activity();
    if (activity_now == activity_before_ || !may_write()) return false;
    activity_before_ = activity_now;
  }
  if (!writing_) {
    if (!collect()) writing_.emplace(disk_, options_.path);
    return true;
  }
  return write();
}

Status WarmRestart::save() {
  if (!done_.load(std::memory_order_relaxed) || !may_write()) return {};
  collected_.reset();
  while (collect()) continue;
  writing_.emplace(disk_, options_.path);
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, write());
    if (!more) return {};
  }
}

Status WarmRestart::begin() {
  ASSIGN_OR_RETURN(file_, load_hot_set(disk_, options_.path));
  if (file_.empty()) return {};
  ASSIGN_OR_RETURN(const std::string_view keys, keys_of_hot_set(file_));
  keys_left_ = ByteReader(keys);
  return {};
}

Result<bool> WarmRestart::warm() {
  if (!std::exchange(begun_, true)) {
    RETURN_IF_ERROR(begin());
    return true;
  }
  const int64_t begun_ns = clock_.monotonic_ns();
  const ViewPtr view = engine_.view();
  for (size_t i = 0; i < kKeysReadAtOnce && !keys_left_.empty(); ++i) {
    std::string_view key;
    CHECK(keys_left_.length_prefixed(key));  // begin() has seen them all
    keys_.fetch_add(1, std::memory_order_relaxed);
    warm_key(*view, key);
    if (clock_.monotonic_ns() - begun_ns > kStepNs) break;
  }
  return !keys_left_.empty();
}

void WarmRestart::warm_key(const View& view, std::string_view key) {
  if (!options_.is_table(get_big_endian64(key.data())) || !cache_.begin_warming(key)) return;
  const Result<bool> found = view.get(key, image_);
  if (!found) {
    cache_.abandon(key);
    unread_.fetch_add(1, std::memory_order_relaxed);
    if (!first_unread_) first_unread_ = found.error();
    return;
  }
  cache_.fill(key, *found ? std::optional(ItemView(image_)) : std::nullopt, view.lsn());
  filled_.fetch_add(1, std::memory_order_relaxed);
}

bool WarmRestart::collect() {
  if (!collected_) {
    collected_.emplace(options_.file_bytes_max);
    walk_ = {};
  }
  return cache_.collect(walk_, kKeysCollectedAtOnce, *collected_);
}

Result<bool> WarmRestart::write() {
  const std::optional<std::string> piece = collected_->take();
  const Status written = piece ? writing_->append(*piece) : writing_->finish();
  if (written && piece) return true;
  writing_.reset();
  collected_.reset();
  RETURN_IF_ERROR(written);
  return false;
}

// What room is left is for what is needed.
bool WarmRestart::may_write() const {
  return engine_.statistics().disk_level == DiskBudget::Level::kRoomy;
}

uint64_t WarmRestart::activity() const {
  const ItemCacheStatistics statistics = cache_.statistics();
  return statistics.hits + statistics.misses + statistics.writes;
}

WarmRestart::Progress WarmRestart::progress() const {
  return {done_.load(std::memory_order_acquire), keys_.load(std::memory_order_relaxed),
          filled_.load(std::memory_order_relaxed), unread_.load(std::memory_order_relaxed)};
}

}  // namespace millrace::cache
