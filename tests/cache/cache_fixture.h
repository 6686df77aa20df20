#pragma once

#include <libdeflate.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/model/item_json.h"
#include "core/model/schema.h"
#include "core/model/value.h"
#include "core/store/frame.h"

namespace millrace::cache {

inline constexpr Generation kTestGeneration = 1'000'000;

class ManualClock final : public Clock {
 public:
  int64_t wall_ms() const override { return now_s_.load() * 1000; }
  int64_t monotonic_ns() const override { return now_s_.load() * 1'000'000'000; }
  void advance_s(int64_t seconds) { now_s_ += seconds; }

 private:
  std::atomic<int64_t> now_s_{1000};
};

inline std::string key_named(std::string_view name, Generation generation = kTestGeneration) {
  std::string key;
  append_partition_prefix(generation, name, key);
  return key;
}

/// An encoded item that tells its `version`, with `padding` bytes beside it.
inline std::string item_of(uint64_t version, size_t padding = 0) {
  ItemTree item;
  item["padding"] = Value::string(std::string(padding, 'x'));
  item["version"] = Value::string(std::to_string(version));
  return encode_item(item);
}

inline std::string wire_of(const std::string& encoded) {
  std::string body = R"({"Item":)";
  render_item(ItemView(encoded), body);
  return body + "}";
}

inline uint32_t crc32_of(std::string_view bytes) {
  return libdeflate_crc32(0, bytes.data(), bytes.size());
}

struct TestChange {
  std::string key;
  std::optional<std::string> image;  // none: a removal
};

/// One frame of one entry; the changes have the LSNs from `first_lsn` on.
inline FramePtr frame_of(Lsn first_lsn, const std::vector<TestChange>& changes) {
  FrameBuilder builder(first_lsn);
  builder.begin_entry(1);
  for (const TestChange& change : changes) {
    builder.add_change(change.image ? ChangeKind::kInsert : ChangeKind::kRemove, change.key,
                       change.image.value_or(""), std::nullopt);
  }
  builder.end_entry();
  return std::move(builder).finish(first_lsn - 1, 0, {});
}

}  // namespace millrace::cache
