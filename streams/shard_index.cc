#include "streams/shard_index.h"

#include <algorithm>
#include <set>

#include "core/base/bytes.h"
#include "streams/log_needs.h"
#include "streams/stream_ids.h"

namespace millrace::streams {
namespace {

// What one step() takes on: long enough to be worth the wake-up, short enough not to hold up
// readers.
constexpr size_t kStepBytes = 1u << 20;
// Files kept in memory. A busy segment's index is about a hundredth of it.
constexpr size_t kCachedFileBytesMax = 16u << 20;
// Sealed segments that one find() looks through: bounds the time of a read of a quiet stream beside
// a busy table.
constexpr size_t kSegmentsPerFind = 32;

}  // namespace

Result<std::unique_ptr<ShardIndex>> ShardIndex::open(Disk& disk, std::string folder, Log& log,
                                                     const Catalog& catalog) {
  if (!disk.exists(folder)) RETURN_IF_ERROR(disk.create_folder(folder));
  ASSIGN_OR_RETURN(std::vector<std::string> names, disk.list(folder));
  std::sort(names.begin(), names.end());
  std::unique_ptr<ShardIndex> index(new ShardIndex(disk, std::move(folder), log, catalog));
  for (const SegmentInfo& segment : log.segments()) {
    if (segment.sealed &&
        !std::binary_search(names.begin(), names.end(), ShardFile::name_of(segment.name()))) {
      index->missing_.push_back(segment.first_lsn);
    }
  }
  index->restart_at_open_segment();
  return index;
}

void ShardIndex::Indexer::add(const Frame& frame, SegmentPostings& postings, Load& load,
                              int64_t counted_from_ms) {
  bool definitions_changed = false;
  of_frame_.clear();
  for (const EntryView& entry : frame) {
    for (const ChangeView& change : entry) {
      if (change.key.size() < 16) continue;  // no store key: nothing that a stream could hold
      Generation generation = get_big_endian64(change.key.data());
      if (generation < kFirstUserGeneration) {
        definitions_changed |= generation == kCatalogGeneration;
        continue;
      }
      if (!covered(generation, change.lsn)) continue;
      const uint32_t number = slice_of(get_big_endian64(change.key.data() + 8));
      const uint64_t slice = uint64_t{1} << number;
      if (entry.time_ms() >= counted_from_ms) ++load[generation][number];
      auto found = std::find_if(of_frame_.begin(), of_frame_.end(),
                                [&](const auto& it) { return it.first == generation; });
      if (found == of_frame_.end()) {
        Posting posting{frame.position().offset, change.lsn, change.lsn, entry.time_ms(), slice};
        of_frame_.emplace_back(generation, posting);
      } else {
        found->second.last_lsn = change.lsn;
        found->second.time_ms = entry.time_ms();
        found->second.slices |= slice;
      }
    }
  }
  for (const auto& [generation, posting] : of_frame_) postings[generation].add(posting);
  if (definitions_changed) {
    // The catalogue may not show this frame yet; it does by the time the next one is readable.
    tables_.clear();
    last_generation_ = 0;
  }
}

bool ShardIndex::Indexer::covered(Generation generation, Lsn lsn) {
  if (generation != last_generation_) {
    auto [found, added] = tables_.try_emplace(generation);
    if (added) found->second = catalog_.find(generation);
    last_generation_ = generation;
    last_table_ = found->second;
  }
  return last_table_ != nullptr && has_stream_over(*last_table_, lsn);
}

void ShardIndex::restart_at_open_segment() {
  std::vector<SegmentInfo> segments = log_.segments();
  open_segment_ = segments.empty() ? log_.first_retained_lsn() : segments.back().first_lsn;
  open_.clear();
  open_last_lsn_ = 0;
  indexed_through_ = open_segment_ == 0 ? 0 : open_segment_ - 1;
  indexer_.emplace(catalog_);
  cursor_.emplace(log_, open_segment_);
}

void ShardIndex::seal() {
  sealed_.emplace(open_segment_, ShardFile::encode(open_segment_, open_last_lsn_, open_));
  open_.clear();
}

void ShardIndex::add_frame(const FramePtr& frame) {
  if (frame->position().segment != open_segment_) {
    if (open_last_lsn_ != 0) seal();
    open_segment_ = frame->position().segment;
  }
  indexer_->add(*frame, open_, load_, counted_from_ms_);
  open_last_lsn_ = indexed_through_ = frame->last_lsn();
}

Result<bool> ShardIndex::advance(Lsn target, size_t bytes_max) {
  size_t bytes = 0;
  std::lock_guard lock(mutex_);
  while (indexed_through_ < target && bytes < bytes_max) {
    Result<FramePtr> frame = cursor_->next();
    if (!frame && frame.error().code == ErrorCode::kTrimmed) {
      // What was trimmed unread was needed by no stream; other segments that were passed over are
      // rebuilt when somebody asks for them.
      restart_at_open_segment();
      continue;
    }
    RETURN_IF_ERROR(frame);
    if (*frame == nullptr) return false;
    bytes += (*frame)->size();
    add_frame(*frame);
  }
  return indexed_through_ < target;
}

Status ShardIndex::catch_up(Lsn lsn) {
  RETURN_IF_ERROR(advance(lsn, SIZE_MAX));
  return {};
}

Result<bool> ShardIndex::step() {
  ASSIGN_OR_RETURN(bool behind, advance(log_.durable_lsn(), kStepBytes));
  if (behind) return true;
  ASSIGN_OR_RETURN(bool wrote, write_sealed());
  if (wrote) return true;
  ASSIGN_OR_RETURN(bool removed, remove_unneeded());
  if (removed) return true;
  return rebuild_missing();
}

Result<bool> ShardIndex::write_sealed() {
  Lsn segment;
  std::string bytes;
  {
    std::lock_guard lock(mutex_);
    if (sealed_.empty()) return false;
    segment = sealed_.begin()->first;
    bytes = sealed_.begin()->second;
  }
  Status written = write_file({segment}, bytes);
  {
    // Also if it could not be written: memory is bounded, and the segment itself has everything.
    std::lock_guard lock(mutex_);
    sealed_.erase(segment);
  }
  RETURN_IF_ERROR(written);
  std::lock_guard lock(files_mutex_);
  ++files_written_;
  return true;
}

Result<bool> ShardIndex::remove_unneeded() {
  const Lsn first = log_.first_retained_lsn();
  const uint64_t rewrites = log_.rewrite_statistics().segments;
  if (first == removed_below_ && rewrites == removed_at_rewrites_) return false;
  removed_below_ = first;
  removed_at_rewrites_ = rewrites;
  ASSIGN_OR_RETURN(std::vector<std::string> names, disk_.list(folder_));
  std::set<std::string> needed;
  for (const SegmentInfo& segment : log_.segments()) {
    needed.insert(ShardFile::name_of(segment.name()));
  }
  for (const std::string& name : names) {
    if (!needed.contains(name)) RETURN_IF_ERROR(disk_.remove(folder_ + "/" + name));
  }
  return true;
}

Result<bool> ShardIndex::rebuild_missing() {
  if (missing_.empty()) return false;
  Lsn wanted = missing_.back();
  missing_.pop_back();
  for (const SegmentInfo& segment : log_.segments()) {
    if (segment.first_lsn != wanted || !any_stream_covers(segment)) continue;
    RETURN_IF_ERROR(load(segment));
    break;
  }
  return !missing_.empty();
}

bool ShardIndex::any_stream_covers(const SegmentInfo& segment) const {
  for (const TablePtr& table : catalog_.all()) {
    for (const StreamDefinition& stream : table->streams) {
      if (stream.enabled_at < segment.last_lsn &&
          (!stream.disabled_at || *stream.disabled_at > segment.first_lsn)) {
        return true;
      }
    }
  }
  return false;
}

Result<ShardFilePtr> ShardIndex::load(const SegmentInfo& segment) {
  if (ShardFilePtr file = cached(segment.name())) return file;
  std::string bytes;
  if (segment.rewrites == 0) {
    std::lock_guard lock(mutex_);
    if (auto found = sealed_.find(segment.first_lsn); found != sealed_.end()) bytes = found->second;
  }
  if (bytes.empty()) {
    if (auto file = disk_.open(path(segment.name()), /*create=*/false)) {
      ASSIGN_OR_RETURN(uint64_t size, (*file)->size());
      RETURN_IF_ERROR((*file)->read(0, size, bytes));
    }
  }
  auto parsed = ShardFile::parse(std::move(bytes), segment.first_lsn, segment.last_lsn);
  if (!parsed) return rebuild(segment);
  cache(segment.name(), *parsed);
  return parsed;
}

Result<ShardFilePtr> ShardIndex::rebuild(const SegmentInfo& segment) {
  std::lock_guard rebuilding(rebuild_mutex_);
  if (ShardFilePtr file = cached(segment.name())) return file;
  Indexer indexer(catalog_);
  SegmentPostings postings;
  Load uncounted;
  LogCursor cursor(log_, segment.first_lsn);
  for (;;) {
    ASSIGN_OR_RETURN(FramePtr frame, cursor.next());
    if (frame == nullptr || frame->position().segment != segment.first_lsn) break;
    if (frame->position().rewrites != segment.rewrites) {
      return make_error(ErrorCode::kMoved, "a segment was rewritten while it was indexed");
    }
    indexer.add(*frame, postings, uncounted, INT64_MAX);
  }
  std::string bytes = ShardFile::encode(segment.first_lsn, segment.last_lsn, postings);
  // A disk that refuses the file costs the next reader the same work; it does not fail this one.
  Status written = write_file(segment.name(), bytes);
  ASSIGN_OR_RETURN(ShardFilePtr file,
                   ShardFile::parse(std::move(bytes), segment.first_lsn, segment.last_lsn));
  cache(segment.name(), file);
  std::lock_guard lock(files_mutex_);
  ++files_rebuilt_;
  if (written) ++files_written_;
  return file;
}

Status ShardIndex::write_file(SegmentName segment, std::string_view bytes) {
  const std::string part = path(segment) + ".part";
  {
    // A leftover may be longer than what is written now.
    if (disk_.exists(part)) RETURN_IF_ERROR(disk_.remove(part));
    ASSIGN_OR_RETURN(std::unique_ptr<File> file, disk_.open(part, /*create=*/true));
    RETURN_IF_ERROR(file->write(0, bytes));
  }
  return disk_.rename(part, path(segment));
}

ShardFilePtr ShardIndex::cached(SegmentName segment) {
  std::lock_guard lock(files_mutex_);
  auto found = std::find_if(files_.begin(), files_.end(),
                            [segment](const auto& it) { return it.first == segment; });
  if (found == files_.end()) return nullptr;
  files_.splice(files_.begin(), files_, found);
  return found->second;
}

void ShardIndex::cache(SegmentName segment, ShardFilePtr file) {
  std::lock_guard lock(files_mutex_);
  for (const auto& it : files_) {
    if (it.first == segment) return;
  }
  files_bytes_ += file->size();
  files_.emplace_front(segment, std::move(file));
  // Lists shorter than this are searched through: bound the number as well as the bytes.
  while (files_.size() > 1 && (files_bytes_ > kCachedFileBytesMax || files_.size() > 64)) {
    files_bytes_ -= files_.back().second->size();
    files_.pop_back();
  }
}

Result<Lsn> ShardIndex::find(Generation generation, const PostingQuery& query, Lsn through,
                             std::vector<LocatedPosting>& out) {
  RETURN_IF_ERROR(catch_up(through));
  PostingQuery rest = query;
  std::vector<Posting> found;
  // Hands over what was found in a segment; true if `query` wants no more.
  const auto take = [&](SegmentName segment) {
    for (const Posting& posting : found) {
      if (posting.first_lsn > through) break;
      out.push_back({{segment.first_lsn, posting.offset, segment.rewrites}, posting});
    }
    bool enough = found.size() >= query.count_max;
    if (enough) rest.from = std::min(found.back().last_lsn, through) + 1;
    found.clear();
    return enough;
  };
  size_t looked = 0;
  for (;;) {
    // A segment that was sealed meanwhile goes on behind `through`, where nothing was looked for.
    if (rest.from > through) return through + 1;
    Lsn open_segment;
    {
      std::lock_guard lock(mutex_);
      open_segment = open_segment_;
      if (rest.from >= open_segment) {
        if (auto list = open_.find(generation); list != open_.end()) {
          RETURN_IF_ERROR(select_postings(list->second.bytes(), rest, found));
        }
        return take({open_segment}) ? rest.from : through + 1;
      }
    }
    bool moved = false;
    for (const SegmentInfo& segment : log_.segments()) {
      if (segment.first_lsn >= open_segment || segment.first_lsn > through) break;
      if (segment.last_lsn < rest.from) continue;
      if (segment.last_time_ms >= query.not_before_ms) {
        if (looked++ == kSegmentsPerFind) return rest.from;
        Result<ShardFilePtr> file = load(segment);
        moved = !file && file.error().code == ErrorCode::kMoved;
        if (moved) break;
        RETURN_IF_ERROR(file);
        RETURN_IF_ERROR(select_postings((*file)->list(generation), rest, found));
        if (take(segment.name())) return rest.from;
      }
      rest.from = segment.last_lsn + 1;
      // The caller has enough to do; what lies further on is for its next call.
      if (!out.empty()) return std::min(rest.from, through + 1);
    }
    // What is left lies in the segment that was open, unless that was sealed meanwhile.
    if (!moved) rest.from = std::max(rest.from, std::min(open_segment, through + 1));
  }
}

ShardIndex::Load ShardIndex::take_load(int64_t since_ms) {
  std::lock_guard lock(mutex_);
  counted_from_ms_ = since_ms;
  return std::exchange(load_, {});
}

ShardIndex::Statistics ShardIndex::statistics() const {
  Statistics result{};
  {
    std::lock_guard lock(mutex_);
    result.indexed_through = indexed_through_;
    for (const auto& [generation, list] : open_) result.open_bytes += list.bytes().size();
  }
  std::lock_guard lock(files_mutex_);
  result.cached_bytes = files_bytes_;
  result.files_written = files_written_;
  result.files_rebuilt = files_rebuilt_;
  return result;
}

}  // namespace millrace::streams
