#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/model/number.h"
#include "fuzz_target.h"

// Text that is taken for a number comes back from its canonical text and from its ordered bytes;
// bytes that are taken for an ordered number are the ones that this number has.

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  for (const char* text : {"0", "-0.00", "1", "-12.50", "+1e3", "5.", ".5", "1E-130",
                           "123456789012345678901234567890.12345678",
                           "-9.9999999999999999999999999999999999999E+125", "1e126", "00042"}) {
    seeds.emplace_back(text);
    if (auto number = millrace::Number::parse(text)) number->append_ordered(seeds.emplace_back());
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (auto number = millrace::Number::parse(input)) {
    std::string ordered;
    number->append_ordered(ordered);
    if (ordered.size() > 21) std::abort();
    if (millrace::Number::parse(number->text()).value() != *number) std::abort();
    if (millrace::Number::from_ordered(ordered).value() != *number) std::abort();
    auto difference = millrace::Number::subtract(*number, *number);
    if (!difference || !difference->is_zero()) std::abort();
    (void)millrace::Number::add(*number, *number);
  }
  if (auto number = millrace::Number::from_ordered(input)) {
    std::string ordered;
    number->append_ordered(ordered);
    if (ordered != input) std::abort();
  }
  return 0;
}
