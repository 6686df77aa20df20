#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace millrace::cache {

/// A sequence of requests for objects; objects are spread over all 64 bits.
struct Trace {
  std::string name;
  std::vector<uint64_t> requests;
  size_t objects = 0;  // different ones
};

/// Reads the last column, a block number, of a CSV file with a header line.
Result<Trace> read_block_trace(const std::string& path);

struct ZipfOptions {
  double exponent = 1.0;
  size_t objects = 100'000;
  size_t requests = 1'000'000;
  /// The share of requests that belongs to scans: runs of a hundredth of the objects, one after the
  /// other.
  double scan_share = 0;
  uint64_t seed = 1;
};
Trace zipf_trace(const ZipfOptions& options);

}  // namespace millrace::cache
