#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/hash.h"

namespace millrace::sim {

/// A hash of everything that was added to it, in this order.
class History {
 public:
  void add(std::string_view bytes) { add(xxh3_64(bytes)); }
  void add(uint64_t number) {
    const uint64_t both[] = {value_, number};
    value_ = xxh3_64({reinterpret_cast<const char*>(both), sizeof both});
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

}  // namespace millrace::sim
