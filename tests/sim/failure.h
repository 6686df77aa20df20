#pragma once

#include <stdexcept>
#include <string>

namespace millrace::sim {

/// A broken invariant; ends the seed's run.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline void require(bool holds, const std::string& what) {
  if (!holds) throw Failure(what);
}

}  // namespace millrace::sim
