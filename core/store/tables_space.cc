// How space comes back: of dropped generations, and of what was deleted.

#include <leveldb/write_batch.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/turns.h"
#include "core/store/leveldb_status.h"
#include "core/store/tables.h"

namespace millrace {
namespace {

constexpr int kReclaimKeys = 1000;
constexpr Lsn kNewest = std::numeric_limits<Lsn>::max();

// The most that one compaction rewrites, about: no checkpoint is taken meanwhile.
constexpr uint64_t kCompactBytes = 64u << 20;

// While a compaction is waited for, LevelDB's failure is looked for this often.
constexpr auto kFailureWait = std::chrono::milliseconds(100);

// Keys are told apart by their first bytes: a generation, then a hash or an expiry.
constexpr size_t kSplitBytes = 16;

// Removals of one partition by one memory table that are worth a compaction, what may be rewritten
// for each, and the compactions that may wait.
constexpr size_t kRemovalsCompacted = 1u << 12;
constexpr uint64_t kRemovalWorthBytes = 2048;
constexpr size_t kRemovedRangesMax = 16;

// A key about halfway between two; `begin` if there is none. An empty `end` is no bound.
std::string key_between(const std::string& begin, const std::string& end) {
  auto byte = [](const std::string& key, size_t i, bool unbounded) -> unsigned {
    if (i < key.size()) return static_cast<uint8_t>(key[i]);
    return unbounded ? 255 : 0;
  };
  std::string middle(kSplitBytes, '\0');
  unsigned carry = 0;
  // The sum from the last byte on, with a carry that may exceed the first, then its half.
  unsigned sums[kSplitBytes];
  for (size_t i = kSplitBytes; i-- > 0;) {
    const unsigned sum = byte(begin, i, false) + byte(end, i, end.empty()) + carry;
    sums[i] = sum & 255;
    carry = sum >> 8;
  }
  for (size_t i = 0; i < kSplitBytes; ++i) {
    middle[i] = static_cast<char>((carry << 8 | sums[i]) >> 1);
    carry = sums[i] & 1;
  }
  return middle > begin && (end.empty() || middle < end) ? middle : begin;
}

}  // namespace

// The keys of a dropped generation can go once its drop is in LevelDB: the checkpoint that makes
// their removal durable covers the drop, so no replay after that brings them back.
Status Tables::find_drops() {
  std::string prefix;
  append_generation_prefix(kDropGeneration, prefix);
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  std::unique_ptr<leveldb::Iterator> it(db_->NewIterator(options));
  for (it->Seek(slice(prefix)); it->Valid() && it->key().starts_with(slice(prefix)); it->Next()) {
    ASSIGN_OR_RETURN(StoreKeyView key, split_store_key({it->key().data(), it->key().size()}));
    Generation generation = 0;
    std::from_chars(key.partition_scalar.data(),
                    key.partition_scalar.data() + key.partition_scalar.size(), generation);
    // Its keys may yet be in memory tables below the drop's own entry, and would come back: after
    // a crash LevelDB may hold more than the checkpoint says.
    if (in_memory_table(string_view_of(it->key()))) continue;
    bool known = reclaimed_.contains(generation);
    for (const Drop& drop : drops_) known = known || drop.generation == generation;
    if (!known && generation >= kFirstUserGeneration) drops_.push_back({generation, {}});
  }
  return checked(it->status());
}

bool Tables::in_memory_table(std::string_view key) const {
  std::vector<std::shared_ptr<MemoryTable>> tables;
  {
    std::lock_guard lock(mutex_);
    tables.push_back(active_);
    for (const Full& full : full_) tables.push_back(full.table);
  }
  return std::any_of(tables.begin(), tables.end(),
                     [&](const auto& table) { return table->get(key, kNewest).has_value(); });
}

Status Tables::reclaim_some(Drop& drop) {
  std::string prefix;
  append_generation_prefix(drop.generation, prefix);
  leveldb::ReadOptions options;
  options.fill_cache = false;
  std::unique_ptr<leveldb::Iterator> it(db_->NewIterator(options));
  leveldb::WriteBatch batch;
  int count = 0;
  for (it->Seek(slice(drop.next.empty() ? prefix : drop.next));
       count < kReclaimKeys && it->Valid() && it->key().starts_with(slice(prefix)); it->Next()) {
    batch.Delete(it->key());
    ++count;
    end_turn();
  }
  RETURN_IF_ERROR(checked(it->status()));
  if (count > 0) {
    ASSIGN_OR_RETURN(const bool written, write(batch));
    if (!written) return {};
    drop.next = it->Valid() ? it->key().ToString() : prefix_successor(prefix);
    return {};
  }
  drop.state = Drop::State::kEmptied;
  checkpoint_wanted_ = true;
  compactions_.push_back({prefix, prefix_successor(prefix)});
  // The published snapshot would keep LevelDB from giving the space back. No memory table is half
  // written now, so a newer one shows the same items but for the dropped ones.
  auto without_dropped = snapshot();
  std::lock_guard lock(mutex_);
  snapshot_ = std::move(without_dropped);
  publish_locked(view_->lsn());
  return {};
}

void Tables::report_drops(const std::function<bool(Generation)>& dropped) {
  std::erase_if(drops_, [&](const Drop& drop) {
    if (drop.state != Drop::State::kDurable || !dropped(drop.generation)) return false;
    reclaimed_.insert(drop.generation);
    return true;
  });
}

void Tables::reclaim_space() {
  if (!compactions_.empty()) return;
  // The published snapshot keeps what was deleted since, so a newer one first; as below.
  auto newer = resume_key_.empty() ? snapshot() : nullptr;
  if (newer) {
    std::lock_guard lock(mutex_);
    snapshot_ = std::move(newer);
    publish_locked(view_->lsn());
  }
  compactions_.push_back({"", ""});
}

void Tables::note_removal(std::string_view key) {
  if (removals_.count == 0 ||
      key.substr(0, kSplitBytes) != std::string_view(removals_.first).substr(0, kSplitBytes)) {
    end_removals();
    removals_.first = key;
  }
  removals_.last = key;
  ++removals_.count;
}

// Walks must pass removals until a compaction meets them with what they remove. Where a partition
// has many, as a queue behind its head, and little else, one is made.
void Tables::end_removals() {
  const Removals removals = std::exchange(removals_, {});
  if (removals.count < kRemovalsCompacted || removed_ranges_.size() >= kRemovedRangesMax) return;
  const leveldb::Range range(slice(removals.first), slice(removals.last));
  uint64_t bytes = 0;
  db_->GetApproximateSizes(&range, 1, &bytes);
  if (bytes > std::max(removals.count * kRemovalWorthBytes, 2 * kCompactBytes)) return;
  removed_ranges_.push_back({removals.first, removals.last + '\0'});
}

// CompactRange returns when LevelDB's background thread is done with the range, which may take
// seconds. Maintenance goes on writing memory tables meanwhile, or clients would wait for it.
struct Tables::Compaction {
  std::shared_ptr<leveldb::DB> db;
  TableEnv& env;
  std::optional<KeyRange> range;  // none: nothing but LevelDB's memtable
  std::promise<void> done;

  void compact() {
    if (!range) return env.flush_memtable(*db);
    const leveldb::Slice begin(range->begin), end(range->end);
    env.compact_range(*db, begin, range->end.empty() ? nullptr : &end);
  }

  static void run(void* given) {
    const std::unique_ptr<Compaction> self(static_cast<Compaction*>(given));
    self->compact();
    // The tables, which `env` belongs to, may go as soon as they are told.
    self->db.reset();
    self->done.set_value();
  }
};

bool Tables::still_compacting() {
  if (!compacting_.valid()) return false;
  if (compacting_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return true;
  compacting_ = {};
  return false;
}

// LevelDB may have failed, and go on with what it was at.
void Tables::wait_for_compaction() {
  if (!compacting_.valid()) return;
  while (compacting_.wait_for(kFailureWait) != std::future_status::ready) {
    if (!background_failure()) env_.look_again();
  }
}

// Begins the next one, unless there is nothing in its range.
void Tables::compact_some() {
  KeyRange range = std::move(compactions_.front());
  compactions_.pop_front();
  const std::string last(kSplitBytes, '\xff');
  for (;;) {
    leveldb::Range bounds(range.begin, range.end.empty() ? last : range.end);
    uint64_t bytes = 0;
    db_->GetApproximateSizes(&bounds, 1, &bytes);
    if (bytes == 0) return;
    if (bytes <= kCompactBytes) break;
    std::string middle = key_between(range.begin, range.end);
    if (middle == range.begin) break;
    compactions_.push_front({middle, range.end});
    range.end = std::move(middle);
  }
  compacts_removed_ = false;
  begin_compaction(std::move(range));
}

void Tables::begin_compaction(std::optional<KeyRange> range) {
  auto compaction = std::make_unique<Compaction>(Compaction{db_, env_, std::move(range), {}});
  compacting_ = compaction->done.get_future();
  env_.StartThread(&Compaction::run, compaction.release());
}

}  // namespace millrace
