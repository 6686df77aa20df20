// The file of a cache's hot set: refused, or keys that a node can read. Each input is tried as it
// is and with a right checksum behind it, since no mutation would find one.

#include "cache/hot_set.h"
#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/model/schema.h"
#include "fuzz_target.h"

namespace {

using millrace::cache::HotSetBuilder;

std::string file_of(HotSetBuilder& builder) {
  std::string file;
  while (const std::optional<std::string> piece = builder.take()) file += *piece;
  return file;
}

void read_file(std::string_view file) {
  const millrace::Result<std::string_view> keys = millrace::cache::keys_of_hot_set(file);
  if (!keys) return;
  size_t bytes = 0;
  HotSetBuilder again(file.size());
  for (millrace::ByteReader reader(*keys); !reader.empty();) {
    std::string_view key;
    CHECK(reader.length_prefixed(key));
    const millrace::Result<millrace::StoreKeyView> parts = millrace::split_store_key(key);
    CHECK(parts);
    CHECK(parts->generation >= millrace::kFirstUserGeneration);
    bytes += key.size();
    again.add(key, 0);
  }
  CHECK(bytes <= file.size());
  CHECK(file_of(again).size() <= file.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string file(reinterpret_cast<const char*>(data), size);
  read_file(file);
  millrace::put_fixed64(file, millrace::xxh3_64(file));
  read_file(file);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  HotSetBuilder builder(1000);
  for (const char* name : {"a", "another key", "a third"}) {
    std::string key;
    millrace::append_partition_prefix(millrace::kFirstUserGeneration, name, key);
    builder.add(key, 1);
  }
  const std::string file = file_of(builder);
  // The second is a file once it has its checksum.
  return {file, file.substr(0, file.size() - 8)};
}
