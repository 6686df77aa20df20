#pragma once

#include <utility>

#include "core/base/random.h"
#include "core/store/engine.h"
#include "tests/sim/begun_write.h"

namespace millrace::sim {

/// Waits for the disk, or has the flush begun and leaves it under way for some steps of the node.
class SimFlusher final : public Flusher {
 public:
  explicit SimFlusher(Random& random) : random_(random) {}

  void flush(Flush& flush) override {
    if (random_.one_in(3) || !flush.begin(write_)) {
      flush.write();
      return flush.finish();
    }
    under_way_ = &flush;
  }
  bool under_way() const { return under_way_ != nullptr; }
  /// Ends what is under way, or lets it go on.
  void step() {
    if (random_.one_in(2)) end();
  }
  void end() {
    if (under_way_ == nullptr) return;
    Flush& flush = *std::exchange(under_way_, nullptr);
    flush.end(write_);
    flush.finish();
  }

 private:
  Random& random_;
  BegunWrite write_;
  Flush* under_way_ = nullptr;
};

}  // namespace millrace::sim
