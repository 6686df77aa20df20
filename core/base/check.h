#pragma once

namespace millrace {

/// Prints the place and the condition to standard error and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition);

}  // namespace millrace

/// Aborts, in every build, when a programmer's assumption does not hold. The world's errors (bad
/// input, disks, peers) are Results, never this.
#define CHECK(condition) \
  (__builtin_expect(!!(condition), 1) ? void() : ::millrace::check_failed(__FILE__, __LINE__, #condition))
