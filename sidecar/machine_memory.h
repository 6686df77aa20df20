#pragma once

#include <cstdint>
#include <string>

namespace millrace::sidecar {

/// Bytes of memory that the process may have: the machine's, or less where a control group of it
/// (a container's, a systemd unit's) has a limit. `root` is the file system's, for tests.
/// Source: cgroups(7); memory.max of version 2, memory.limit_in_bytes of version 1.
uint64_t machine_memory_bytes(const std::string& root = "");

}  // namespace millrace::sidecar
