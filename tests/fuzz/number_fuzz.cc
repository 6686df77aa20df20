#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/model/number.h"
#include "fuzz_target.h"

// Text that is taken for a number comes back from its canonical text and from its ordered bytes;
// bytes that are taken for an ordered number are the ones that this number has. Of two numbers,
// with a space between them, sums and differences agree with each other, and the order with that of
// the bytes.

namespace {

using millrace::Number;

void check_pair(const Number& a, const Number& b) {
  std::string a_ordered, b_ordered;
  a.append_ordered(a_ordered);
  b.append_ordered(b_ordered);
  if ((a < b) != (a_ordered < b_ordered) || (a == b) != (a_ordered == b_ordered)) std::abort();
  const auto sum = Number::add(a, b), reversed = Number::add(b, a);
  if (sum.has_value() != reversed.has_value()) std::abort();
  if (sum) {
    if (*sum != *reversed) std::abort();
    // What was exact is so on the way back, unless the range ends before.
    if (const auto back = Number::subtract(*sum, b); back && *back != a) std::abort();
    if (Number::parse(sum->text()).value() != *sum) std::abort();
  }
  const auto less = Number::subtract(a, b), more = Number::subtract(b, a);
  if (less.has_value() != more.has_value()) std::abort();
  if (less && !Number::add(*less, *more)->is_zero()) std::abort();
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds;
  for (const char* text : {"0", "-0.00", "1", "-12.50", "+1e3", "5.", ".5", "1E-130",
                           "123456789012345678901234567890.12345678",
                           "-9.9999999999999999999999999999999999999E+125", "1e126", "00042"}) {
    seeds.emplace_back(text);
    seeds.push_back(std::string(text) + " -0.5");
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
  if (const size_t space = input.find(' '); space != std::string_view::npos) {
    const auto a = Number::parse(input.substr(0, space)),
               b = Number::parse(input.substr(space + 1));
    if (a && b) check_pair(*a, *b);
  }
  if (auto number = millrace::Number::from_ordered(input)) {
    std::string ordered;
    number->append_ordered(ordered);
    if (ordered != input) std::abort();
  }
  return 0;
}
