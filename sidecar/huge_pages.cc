#include "sidecar/huge_pages.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace millrace::sidecar {
namespace {

constexpr const char* kVariable = "GLIBC_TUNABLES";
constexpr std::string_view kTunable = "glibc.malloc.hugetlb=";
// Behind what else the variable has. The empty part, which the C library skips, tells it from one
// of the operator's.
constexpr std::string_view kOurs = "::glibc.malloc.hugetlb=1";

// On some kernels they are 512 MB.
constexpr unsigned long kPageBytesMax = 2ul << 20;

std::string kernel_setting(const char* name) {
  std::ifstream file(std::string("/sys/kernel/mm/transparent_hugepage/") + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Always or never leave nothing to ask for.
bool may_be_asked_for() {
  return kernel_setting("enabled").find("[madvise]") != std::string::npos &&
         std::strtoul(kernel_setting("hpage_pmd_size").c_str(), nullptr, 10) <= kPageBytesMax;
}

/// Of a program that was named to a loader the loader would be started; one with more rights than
/// who starts it never sees the variable.
bool can_start_again() { return ::getauxval(AT_BASE) != 0 && ::getauxval(AT_SECURE) == 0; }

void set_tunables(const std::string& tunables) {
  if (tunables.empty()) {
    ::unsetenv(kVariable);
  } else {
    ::setenv(kVariable, tunables.c_str(), 1);
  }
}

}  // namespace

void use_huge_pages(char** arguments) {
  const char* value = std::getenv(kVariable);
  const std::string tunables = value != nullptr ? value : "";
  if (tunables.ends_with(kOurs)) {
    return set_tunables(tunables.substr(0, tunables.size() - kOurs.size()));
  }
  if (tunables.find(kTunable) != std::string::npos || !can_start_again() || !may_be_asked_for())
    return;
  set_tunables(tunables + std::string(kOurs));
  // By the name that it was started by, which the process then keeps.
  ::execv(reinterpret_cast<const char*>(::getauxval(AT_EXECFN)), arguments);
  set_tunables(tunables);
}

}  // namespace millrace::sidecar
