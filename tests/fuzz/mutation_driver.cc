// Stands in for libFuzzer: feeds a target its seeds, the inputs of its kept corpus, and random
// mutations of them. An input that fails is left in a file, whose name is told; a failing run is
// repeated by its seed, since what a target keeps between inputs may matter.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "fuzz_target.h"
#include "json_mutation.h"

// The sanitizers' runtime has it.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

constexpr char kUsage[] =
    "usage: TARGET [ROUNDS [SEED]]      100000 rounds by default\n"
    "       TARGET --seconds N [SEED]\n"
    "       TARGET FILE...              these inputs alone\n";

// An input that takes longer has hung.
constexpr unsigned kInputSecondsMax = 60;

const std::string* current_input = nullptr;
std::string failure_path;

void keep_input() {
  if (current_input == nullptr) return;
  const int file = ::open(failure_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const ssize_t written = ::write(file, current_input->data(), current_input->size());
  ::close(file);
  std::fprintf(stderr, "the input is in %s (%zd bytes)\n", failure_path.c_str(), written);
  current_input = nullptr;
}

void on_signal(int signal) {
  keep_input();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void try_one(const std::string& input) {
  // An allocation of exactly this size, so that a sanitizer sees every read past its end.
  const std::vector<uint8_t> exact(input.begin(), input.end());
  current_input = &input;
  ::alarm(kInputSecondsMax);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  current_input = nullptr;
}

void mutate_bytes(std::string& text, const std::vector<std::string>& seeds,
                  std::mt19937_64& random) {
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

std::string mutated(std::string text, const JsonMutation& json,
                    const std::vector<std::string>& seeds, std::mt19937_64& random) {
  const bool as_json = JsonMutation::suits(text) && random() % 8 != 0;
  for (uint64_t edits = 1 + random() % 5; edits > 0; --edits) {
    if (as_json && random() % 16 != 0) {
      json.mutate(text, random);
    } else if (as_json) {
      text += seeds[random() % seeds.size()];
    } else {
      mutate_bytes(text, seeds, random);
    }
  }
  return text;
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Seeds of the target, then its kept corpus by name.
std::vector<std::string> all_seeds(const std::string& target) {
  std::vector<std::string> seeds = fuzz_seeds();
  std::vector<std::filesystem::path> kept;
  const std::filesystem::path folder = std::filesystem::path(MILLRACE_FUZZ_CORPUS) / target;
  if (std::filesystem::exists(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      kept.push_back(entry.path());
    }
  }
  std::sort(kept.begin(), kept.end());
  for (const auto& path : kept) seeds.push_back(content_of(path));
  std::printf("%zu seeds, %zu of them kept\n", seeds.size(), kept.size());
  return seeds;
}

void watch(const std::string& target) {
  failure_path = std::filesystem::temp_directory_path() / (target + ".failure");
  for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) {
    ::signal(signal, on_signal);
  }
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(keep_input);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string target = std::filesystem::path(argv[0]).filename();
  watch(target);
  const bool timed = argc > 2 && std::strcmp(argv[1], "--seconds") == 0;
  const bool counted = argc > 1 && std::atol(argv[1]) > 0;
  if (argc > 1 && !timed && !counted) {
    if (argv[1][0] == '-') {
      std::fputs(kUsage, stderr);
      return 2;
    }
    for (int i = 1; i < argc; ++i) try_one(content_of(argv[i]));
    return 0;
  }
  long rounds = counted ? std::atol(argv[1]) : 100000;
  const int seed_at = timed ? 3 : 2;
  const uint64_t seed =
      argc > seed_at ? std::strtoull(argv[seed_at], nullptr, 10) : std::random_device{}();
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::seconds(timed ? std::atol(argv[2]) : 0);
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  const std::vector<std::string> seeds = all_seeds(target);
  const JsonMutation json(seeds);
  std::fflush(stdout);
  for (const std::string& one : seeds) try_one(one);
  long tried = 0;
  while (timed ? std::chrono::steady_clock::now() < end : tried < rounds) {
    try_one(mutated(seeds[random() % seeds.size()], json, seeds, random));
    ++tried;
  }
  std::printf("%ld inputs\n", tried);
}
