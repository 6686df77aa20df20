#include "streams/posting_list.h"

#include <bit>

#include "core/base/bytes.h"

namespace millrace::streams {
namespace {

constexpr uint8_t kMaskFollows = 64;  // persisted

void overwrite(std::string& bytes, size_t at, uint64_t value, int width) {
  for (int i = 0; i < width; ++i)
    bytes[at + static_cast<size_t>(i)] = static_cast<char>(value >> (8 * i));
}

struct BlockHeader {
  uint64_t first_lsn, last_lsn, last_time_ms, slices;
  uint32_t count, size;
};

bool read_header(ByteReader& reader, BlockHeader& block) {
  return reader.fixed64(block.first_lsn) && reader.fixed64(block.last_lsn) &&
         reader.fixed64(block.last_time_ms) && reader.fixed64(block.slices) &&
         reader.fixed32(block.count) && reader.fixed32(block.size);
}

bool read_posting(ByteReader& reader, Posting& posting) {
  uint64_t offset, first, span, time;
  uint8_t slice;
  if (!reader.varint(offset) || !reader.varint(first) || !reader.varint(span) ||
      !reader.varint(time) || !reader.u8(slice) || slice > kMaskFollows) {
    return false;
  }
  posting.offset += offset;
  posting.first_lsn += first;
  posting.last_lsn = posting.first_lsn + span;
  posting.time_ms += static_cast<int64_t>(time);
  if (slice == kMaskFollows) return reader.fixed64(posting.slices);
  posting.slices = uint64_t{1} << slice;
  return true;
}

bool wants(const PostingQuery& query, Lsn last_lsn, int64_t last_time_ms, uint64_t slices) {
  return last_lsn >= query.from && last_time_ms >= query.not_before_ms &&
         (slices & query.slices) != 0;
}

}  // namespace

void PostingList::add(const Posting& posting) {
  if (count_ == 0 || count_ == kBlockPostings) {
    block_ = bytes_.size();
    count_ = 0;
    last_ = {};
    last_.first_lsn = posting.first_lsn;
    put_fixed64(bytes_, posting.first_lsn);
    bytes_.append(kBlockHeaderBytes - 8, '\0');
  }
  put_varint(bytes_, posting.offset - last_.offset);
  put_varint(bytes_, posting.first_lsn - last_.first_lsn);
  put_varint(bytes_, posting.last_lsn - posting.first_lsn);
  put_varint(bytes_, static_cast<uint64_t>(posting.time_ms - last_.time_ms));
  if (std::has_single_bit(posting.slices)) {
    bytes_.push_back(static_cast<char>(std::countr_zero(posting.slices)));
  } else {
    bytes_.push_back(static_cast<char>(kMaskFollows));
    put_fixed64(bytes_, posting.slices);
  }
  ++count_;
  overwrite(bytes_, block_ + 8, posting.last_lsn, 8);
  overwrite(bytes_, block_ + 16, static_cast<uint64_t>(posting.time_ms), 8);
  overwrite(bytes_, block_ + 24, get_fixed64(bytes_.data() + block_ + 24) | posting.slices, 8);
  overwrite(bytes_, block_ + 32, count_, 4);
  overwrite(bytes_, block_ + 36, bytes_.size() - block_ - kBlockHeaderBytes, 4);
  last_ = posting;
}

Status select_postings(std::string_view list, const PostingQuery& query,
                       std::vector<Posting>& out) {
  const auto damaged = [] {
    return make_error(ErrorCode::kCorruption, "a shard index holds a list that cannot be read");
  };
  ByteReader lists(list);
  while (!lists.empty() && out.size() < query.count_max) {
    BlockHeader block;
    std::string_view postings;
    if (!read_header(lists, block) || !lists.bytes(block.size, postings)) return damaged();
    if (!wants(query, block.last_lsn, static_cast<int64_t>(block.last_time_ms), block.slices))
      continue;
    ByteReader reader(postings);
    Posting posting;
    posting.first_lsn = block.first_lsn;
    for (uint32_t i = 0; i < block.count && out.size() < query.count_max; ++i) {
      if (!read_posting(reader, posting)) return damaged();
      if (wants(query, posting.last_lsn, posting.time_ms, posting.slices)) out.push_back(posting);
    }
  }
  return {};
}

}  // namespace millrace::streams
