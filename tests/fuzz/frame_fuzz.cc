#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/base/hash.h"
#include "core/store/frame.h"
#include "fuzz_target.h"

// A log frame that parses can be walked, whatever its bytes are. The input is tried as it is, and
// once more with the size and checksum that belong to it, since a fuzzer does not guess them.

namespace {

constexpr millrace::LogPosition kPosition{1, 64};

void walk(const std::string& bytes) {
  (void)millrace::Frame::size_of(bytes);
  auto frame = millrace::Frame::parse(bytes, kPosition);
  if (!frame) return;
  uint64_t changes = 0;
  size_t seen = 0;
  for (const millrace::EntryView& entry : **frame) {
    for (int tag = 0; tag < 6; ++tag) {
      if (auto value = entry.field(static_cast<millrace::EntryField>(tag))) seen += value->size();
    }
    for (const millrace::ChangeView& change : entry) {
      ++changes;
      seen += change.key.size() + change.new_image.value_or("").size() +
              change.old_image.value_or("").size();
      for (const millrace::IndexChange& index_change : change.index_changes) {
        seen += index_change.key.size() + index_change.image.size();
        if (index_change.kind == millrace::IndexChangeKind::kPutItem && !change.new_image) {
          std::abort();
        }
      }
    }
  }
  if (changes != (*frame)->last_lsn() - (*frame)->first_lsn() + 1) std::abort();
  if (seen > 6 * bytes.size()) std::abort();
}

void append64(std::string& out, uint64_t value) {
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  using millrace::ChangeKind;
  millrace::FrameBuilder builder(1000);
  builder.begin_entry(1'700'000'000'000);
  builder.add_change(ChangeKind::kInsert, "key", std::string(200, 'i'), std::nullopt);
  builder.end_entry();
  std::vector<std::string> seeds;
  {
    millrace::FrameBuilder one = builder;
    seeds.emplace_back(std::move(one).finish(999, 7, kPosition)->bytes());
  }
  builder.begin_entry(1'700'000'000'001);
  builder.add_field(millrace::EntryField::kTransactionId, "token");
  builder.add_field(millrace::EntryField::kTraceparent, "00-1-2-01");
  millrace::IndexChanges index_changes;
  index_changes.put("entry", "projected");
  index_changes.put_item("other");
  index_changes.remove("gone");
  builder.add_change(ChangeKind::kModify, "a", "new", "old", index_changes);
  builder.add_change(ChangeKind::kRemove, "b", "", "old");
  builder.add_change(ChangeKind::kRemove, "c", "", std::nullopt);
  builder.end_entry();
  seeds.emplace_back(std::move(builder).finish(999, 7, kPosition)->bytes());
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  walk(bytes);
  if (size < millrace::Frame::kHeaderBytes) return 0;
  for (int i = 0; i < 4; ++i) {
    bytes[8 + i] = static_cast<char>((size - millrace::Frame::kHeaderBytes) >> (8 * i));
  }
  std::string hashed = bytes.substr(0, 44);
  append64(hashed,
           millrace::xxh3_64(std::string_view(bytes).substr(millrace::Frame::kHeaderBytes)));
  append64(hashed, kPosition.segment);
  append64(hashed, kPosition.offset);
  std::string checksum;
  append64(checksum, millrace::xxh3_64(hashed));
  bytes.replace(44, 8, checksum);
  walk(bytes);
  return 0;
}
