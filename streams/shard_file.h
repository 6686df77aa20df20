#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/disk.h"
#include "core/base/result.h"
#include "core/model/schema.h"
#include "core/store/log_segment.h"
#include "streams/posting_list.h"

namespace millrace::streams {

/// The posting lists of one segment, by generation.
using SegmentPostings = std::map<Generation, PostingList>;

/// The index of a sealed segment, as its file holds it; see README.md for the bytes. Immutable.
class ShardFile {
 public:
  static constexpr uint32_t kVersion = 1;
  static constexpr size_t kHeaderBytes = 40;

  static std::string encode(Lsn segment, Lsn last_lsn, const SegmentPostings& postings);
  /// kCorruption if `bytes` are not the index of `segment` up to `last_lsn`: a segment that was
  /// sealed, lost its successor in a crash and grew on has an index that says too little.
  static Result<std::shared_ptr<const ShardFile>> parse(std::string bytes, Lsn segment,
                                                        Lsn last_lsn);

  /// `SSSSSSSSSSSSSSSSSSSS.idx`, of a segment that was rewritten N times
  /// `SSSSSSSSSSSSSSSSSSSS-N.idx`.
  static std::string name_of(SegmentName segment);

  /// The encoded list of a generation; empty if it has none.
  std::string_view list(Generation generation) const;
  size_t size() const { return bytes_.size(); }

 private:
  ShardFile() = default;
  std::string bytes_;
  uint32_t generations_ = 0;
};
using ShardFilePtr = std::shared_ptr<const ShardFile>;

}  // namespace millrace::streams
