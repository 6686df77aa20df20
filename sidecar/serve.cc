#include "sidecar/serve.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "core/base/clock.h"
#include "core/base/disk.h"
#include "core/base/memory_disk.h"
#include "sidecar/event_log.h"
#include "sidecar/machine_memory.h"
#include "sidecar/sidecar.h"

namespace millrace::sidecar {
namespace {

sigset_t ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

/// `memory_bytes`: what requests and writes may have together.
void arrange_memory(size_t memory_bytes) {
  constexpr size_t kKeptBytesMax = size_t{1} << 30;
  constexpr int kMappedBytesMin = 32 << 20;  // the C library takes no more
  // Other arenas would keep memory that not every thread can use, and grow in steps too small to be
  // in huge pages.
  mallopt(M_ARENA_MAX, 1);
  // What one write gives back the next one needs: memory that goes back to the kernel must be
  // cleared again, and on a virtual machine perhaps be found first.
  mallopt(M_MMAP_THRESHOLD, kMappedBytesMin);
  mallopt(M_TRIM_THRESHOLD, static_cast<int>(std::min(memory_bytes / 2, kKeptBytesMax)));
}

/// Enough for all connections, where the usual limit is for programs that use select().
void raise_descriptor_limit() {
  constexpr rlim_t kDescriptors = 16384;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kDescriptors) return;
  limit.rlim_cur = std::min(limit.rlim_max, kDescriptors);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Status serve(const Config& config) {
  RETURN_IF_ERROR(check_memory_limits(config, machine_memory_bytes()));
  arrange_memory(config.memory_bytes);
  raise_descriptor_limit();
  // Threads inherit the mask, so that only the main thread below takes the signals.
  sigset_t signals = ending_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  start_event_log(config.log_format);

  SystemClock clock;
  PosixDisk posix_disk;
  MemoryDisk memory_disk(config.disk_bytes != 0 ? config.disk_bytes : machine_memory_bytes() / 2);
  Disk& disk = config.in_memory ? static_cast<Disk&>(memory_disk) : posix_disk;
  int64_t began_ns = clock.monotonic_ns();
  ASSIGN_OR_RETURN(std::unique_ptr<Sidecar> sidecar, Sidecar::start(config, clock, disk));
  log_event(Severity::kInfo, "serving",
            {{"listen", sidecar->listen_address().text()},
             {"admin", sidecar->admin_address().text()},
             {"data", config.in_memory ? "in memory" : sidecar->folder().path()},
             {"durability", config.durability == Durability::kFlush ? "flush" : "none"},
             {"connectors", std::to_string(config.connectors.size())},
             {"start_ms", std::to_string((clock.monotonic_ns() - began_ns) / 1000000)}});

  int signal = 0;
  sigwait(&signals, &signal);
  log_event(Severity::kInfo, "stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  // Both have their default effect again: a second one ends the process at once.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  Status stopped = sidecar->stop();
  if (!stopped) log_event(Severity::kError, "checkpoint", {{"message", stopped.error().message}});
  sidecar.reset();
  log_event(Severity::kInfo, "stopped");
  return stopped;
}

}  // namespace millrace::sidecar
