#include "core/ops/page_key.h"

#include "core/base/bytes.h"

namespace millrace {

// Every part has a fixed size, tells its size or is told by a flag: so a key is read in one way.
// What a definition adds to an answer (key attributes, names, what an index projects) stays the
// same as long as the generation does.
std::string page_key(const PageRequest& page) {
  std::string key;
  auto flag = [&](bool set) { key.push_back(set ? '\1' : '\0'); };
  key.push_back(static_cast<char>(page.kind));
  put_fixed64(key, page.table->generation);
  put_fixed64(key, page.index != nullptr ? page.index->generation : 0);
  flag(page.fetch);
  flag(page.count_only);
  flag(page.reverse);
  put_varint(key, page.limit ? static_cast<uint64_t>(*page.limit) : 0);  // at least 1 if given
  put_length_prefixed(key, page.begin);
  put_length_prefixed(key, page.end);
  flag(page.filter.has_value());
  if (page.filter) page.filter->append_key(key);
  flag(page.projection.has_value());
  if (page.projection) {
    put_varint(key, page.projection->paths().size());
    for (const Path& path : page.projection->paths()) append_key(path, key);
  }
  return key;
}

}  // namespace millrace
