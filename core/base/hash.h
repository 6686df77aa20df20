#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

struct XXH3_state_s;

namespace millrace {

/// XXH3, 64 bits, seed 0. Persisted: it is the hash of partition keys (and so of shard ranges) and
/// the checksum of log frames.
uint64_t xxh3_64(std::string_view bytes);

/// The same of bytes that come in pieces.
class Xxh3 {
 public:
  Xxh3();
  void update(std::string_view bytes);
  uint64_t digest() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

}  // namespace millrace
