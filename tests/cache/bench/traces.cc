#include "traces.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <string_view>
#include <unordered_set>

#include "core/base/hash.h"
#include "core/base/random.h"

namespace millrace::cache {
namespace {

uint64_t object_of(uint64_t number) {
  return xxh3_64({reinterpret_cast<const char*>(&number), sizeof number});
}

void count_objects(Trace& trace) {
  trace.objects = std::unordered_set<uint64_t>(trace.requests.begin(), trace.requests.end()).size();
}

}  // namespace

Result<Trace> read_block_trace(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return make_error(ErrorCode::kIo, "cannot read " + path);
  Trace trace;
  trace.name = path.substr(path.rfind('/') + 1);
  while (std::getline(file, line)) {
    const std::string number = line.substr(line.rfind(',') + 1);
    trace.requests.push_back(object_of(std::strtoull(number.c_str(), nullptr, 10)));
  }
  count_objects(trace);
  return trace;
}

Trace zipf_trace(const ZipfOptions& options) {
  Random random(options.seed);
  std::vector<double> cumulative(options.objects);
  double sum = 0;
  for (size_t i = 0; i < options.objects; ++i) {
    cumulative[i] = sum += 1 / std::pow(static_cast<double>(i + 1), options.exponent);
  }
  // Popular objects lie anywhere among those that a scan passes.
  std::vector<size_t> rank_to_object(options.objects);
  std::iota(rank_to_object.begin(), rank_to_object.end(), size_t{0});
  for (size_t i = options.objects - 1; i > 0; --i) {
    std::swap(rank_to_object[i], rank_to_object[random.below(i + 1)]);
  }

  const size_t scan_length = std::max<size_t>(1, options.objects / 100);
  const double scans_a_request =
      options.scan_share / (1 - options.scan_share) / static_cast<double>(scan_length);
  Trace trace;
  char name[64];
  std::snprintf(name, sizeof name, "zipf %.1f, scans %2.0f%%", options.exponent,
                options.scan_share * 100);
  trace.name = name;
  while (trace.requests.size() < options.requests) {
    if (random.fraction() < scans_a_request) {
      const size_t start = random.below(options.objects);
      for (size_t i = 0; i < scan_length; ++i) {
        trace.requests.push_back(object_of((start + i) % options.objects));
      }
    }
    const auto at = std::lower_bound(cumulative.begin(), cumulative.end(), random.fraction() * sum);
    const auto rank = std::min<size_t>(at - cumulative.begin(), options.objects - 1);
    trace.requests.push_back(object_of(rank_to_object[rank]));
  }
  count_objects(trace);
  return trace;
}

}  // namespace millrace::cache
