#include "sidecar/machine_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string_view>

namespace millrace::sidecar {
namespace {

/// The least limit of a group and those above it. In a container the group may have another path
/// than from outside: then the hierarchy's root is the container's.
uint64_t least_limit(const std::string& hierarchy, std::string group, const std::string& file,
                     uint64_t bytes) {
  for (;;) {
    std::ifstream limit(hierarchy + group + "/" + file);
    // "max" is no number.
    if (uint64_t most = 0; limit >> most) bytes = std::min(bytes, most);
    if (group.empty()) return bytes;
    group.erase(group.rfind('/'));
  }
}

}  // namespace

uint64_t machine_memory_bytes(const std::string& root) {
  uint64_t bytes =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const std::string mounted = root + "/sys/fs/cgroup";
  // Each line is HIERARCHY:CONTROLLERS:PATH.
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t controllers = line.find(':') + 1;
    const size_t colon = line.find(':', controllers);
    if (controllers == 0 || colon == line.npos) continue;
    std::string group = line.substr(colon + 1);
    if (!group.starts_with('/')) continue;
    if (group == "/") group.clear();
    const std::string names = "," + line.substr(controllers, colon - controllers) + ",";
    if (names == ",,") {
      bytes = least_limit(mounted, group, "memory.max", bytes);
    } else if (names.find(",memory,") != names.npos) {
      bytes = least_limit(mounted + "/memory", group, "memory.limit_in_bytes", bytes);
    }
  }
  return bytes;
}

}  // namespace millrace::sidecar
