// Stands in for libFuzzer where it is not installed: feeds a target its seeds and random mutations
// of them. usage: TARGET [ROUNDS [SEED]]; a failing run is repeated by its seed. With a FILE: that
// input alone.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include "fuzz_target.h"

namespace {

void try_one(const std::string& input) {
  // An allocation of exactly this size, so that a sanitizer sees every read past its end.
  const std::vector<uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

std::string mutated(std::string text, const std::vector<std::string>& seeds,
                    std::mt19937_64& random) {
  for (uint64_t edits = 1 + random() % 5; edits > 0; --edits) {
    const size_t at = text.empty() ? 0 : random() % text.size();
    switch (random() % 6) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(random());
        break;
      case 1:
        text.insert(at, 1, "\r\n :;,0"[random() % 7]);
        break;
      case 2:
        text.erase(at, 1 + random() % 8);
        break;
      case 3:
        text.insert(at, text.substr(at, random() % 40));
        break;
      case 4:
        text.resize(at);
        break;
      default:
        text += seeds[random() % seeds.size()];
        break;
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::atoi(argv[1]) == 0) {
    std::ifstream file(argv[1], std::ios::binary);
    try_one(std::string(std::istreambuf_iterator<char>(file), {}));
    return 0;
  }
  const long rounds = argc > 1 ? std::atol(argv[1]) : 100000;
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  std::mt19937_64 random(seed);
  const std::vector<std::string> seeds = fuzz_seeds();
  for (const std::string& one : seeds) try_one(one);
  for (long i = 0; i < rounds; ++i) {
    try_one(mutated(seeds[random() % seeds.size()], seeds, random));
  }
  std::printf("%ld inputs\n", rounds);
}
