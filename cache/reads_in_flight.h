#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace millrace::cache {

/// The reads of the store that are under way after a miss, and who waits for them. Known by the
/// key's hash alone: two keys with one hash merely wait for each other, and then look again.
/// Bounded: beyond the limits a reader reads for itself. Not thread-safe.
class ReadsInFlight {
 public:
  static constexpr size_t kReadsMax = 1024;
  static constexpr size_t kWaitersMax = 4096;
  using Waiters = std::vector<std::function<void()>>;

  enum class Role : uint8_t {
    kReader,       // reads the store and calls finish()
    kWaiter,       // `resume` was taken, and comes back from finish()
    kIndependent,  // reads the store, tells nobody
  };
  /// With an empty `resume` never kWaiter.
  Role begin(uint64_t hash, std::function<void()>& resume);

  /// Ends the read and returns who is to be resumed. If it left nothing in the cache (`filled` is
  /// false) as many of the next to ask are independent: else the waiters would queue for one read
  /// after the other.
  Waiters finish(uint64_t hash, bool filled);

 private:
  struct Read {
    Waiters waiters;
    uint32_t independent = 0;  // > 0: the read is over, and so many more read for themselves
  };
  struct Identity {
    using is_avalanching = void;
    size_t operator()(uint64_t hash) const { return hash; }
  };
  boost::unordered_flat_map<uint64_t, Read, Identity> reads_;
  size_t waiters_ = 0;
};

}  // namespace millrace::cache
