#include "sidecar/huge_pages.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <string>
#include <string_view>

namespace millrace::sidecar {
namespace {

constexpr const char* kVariable = "GLIBC_TUNABLES";
constexpr std::string_view kTunable = "glibc.malloc.hugetlb=";

}  // namespace

void use_huge_pages(char** arguments) {
  const char* value = std::getenv(kVariable);
  std::string tunables = value != nullptr ? value : "";
  if (tunables.find(kTunable) != std::string::npos) return;
  // Of a program that was named to a loader, the loader would be started again.
  if (::getauxval(AT_BASE) == 0) return;
  // By its own path, so that the process keeps its name.
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path - 1);
  if (size <= 0) return;
  path[size] = '\0';
  if (!tunables.empty()) tunables += ':';
  tunables.append(kTunable).append("1");
  if (::setenv(kVariable, tunables.c_str(), 1) == 0) ::execv(path, arguments);
}

}  // namespace millrace::sidecar
