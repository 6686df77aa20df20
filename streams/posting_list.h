#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/store/frame.h"

namespace millrace::streams {

/// Where a frame holds changes of one generation.
struct Posting {
  uint64_t offset = 0;  // of the frame in its segment's file
  Lsn first_lsn = 0;    // of the generation's first and last change in the frame
  Lsn last_lsn = 0;
  int64_t time_ms = 0;  // of the last one's entry
  uint64_t slices = 0;  // 64ths of the hash space that the changes touch
  bool operator==(const Posting&) const = default;
};

/// The postings of one generation in one segment, in order, in the encoding that is persisted
/// (README.md). The bytes are complete after every add().
class PostingList {
 public:
  /// Postings to a block: a reader skips whole blocks, and reads at most one in vain.
  static constexpr uint32_t kBlockPostings = 128;
  static constexpr size_t kBlockHeaderBytes = 40;

  /// `posting` comes after all before it.
  void add(const Posting& posting);
  std::string_view bytes() const { return bytes_; }

 private:
  std::string bytes_;
  size_t block_ = 0;    // where the last block begins
  uint32_t count_ = 0;  // of its postings
  Posting last_;
};

/// Which postings a reader wants.
struct PostingQuery {
  uint64_t slices = UINT64_MAX;       // any of these
  Lsn from = 0;                       // with a change at or after this
  int64_t not_before_ms = INT64_MIN;  // with a change at or after this time
  size_t count_max = SIZE_MAX;
};

/// Appends those of `list` that `query` wants to `out`, until `out` has count_max. kCorruption if
/// `list` is not an encoded list.
Status select_postings(std::string_view list, const PostingQuery& query, std::vector<Posting>& out);

}  // namespace millrace::streams
