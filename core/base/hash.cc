#include "core/base/hash.h"

#include <xxhash.h>

namespace millrace {

uint64_t xxh3_64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

Xxh3::Xxh3() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }

void Xxh3::update(std::string_view bytes) {
  XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
}

uint64_t Xxh3::digest() const { return XXH3_64bits_digest(state_.get()); }

void Xxh3::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

}  // namespace millrace
