#include "sidecar/log_flusher.h"

#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <utility>

namespace millrace::sidecar {
namespace {

constexpr int64_t kAveraged = 8;

// What takes no longer is done at once: a file system in memory.
constexpr int64_t kInstantNs = 30'000;

void average(int64_t& value, int64_t sample) { value += (sample - value) / kAveraged; }

int64_t thread_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

void FlushCosts::flush_took(int64_t ns) { average(flush_ns_, ns); }

void FlushCosts::commands_took(int64_t cpu_ns, size_t commands) {
  if (commands > 0) average(command_ns_, cpu_ns / static_cast<int64_t>(commands));
}

LogFlusher::LogFlusher(IoThreads& threads, Clock& clock)
    : threads_(threads), clock_(clock), networks_(threads.count()) {
  for (size_t i = 0; i < networks_.size(); ++i) {
    Network& network = networks_[i];
    network.write = AsyncWrite::create();
    if (network.write) network.watch = threads_.watch(i, network.write->ready_fd());
  }
}

void LogFlusher::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "flush");
    run();
  });
}

void LogFlusher::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  finish_handed_over();
  if (under_way_ != nullptr) {
    Flush& flush = *std::exchange(under_way_, nullptr);
    flush.end(*network_->write);
    flush.finish(false);
  }
}

void LogFlusher::flush(Flush& flush) {
  const int index = IoThreads::current();
  if (index >= 0 && begin(networks_[static_cast<size_t>(index)], flush)) return;
  hand_over(flush);
}

bool LogFlusher::begin(Network& network, Flush& flush) {
  if (!network.write || !flush.begin(*network.write)) return false;
  under_way_ = &flush;
  network_ = &network;
  began_ns_ = clock_.monotonic_ns();
  network.watch->once_readable([this] { end(); });
  return true;
}

void LogFlusher::end() {
  Flush& flush = *std::exchange(under_way_, nullptr);
  Network& network = *network_;
  flush.end(*network.write);
  costs_.flush_took(clock_.monotonic_ns() - began_ns_);
  const int64_t cpu_ns = thread_cpu_ns();
  costs_.commands_took(cpu_ns - std::exchange(network.cpu_ns, cpu_ns), flush.commands());
  flush.finish(costs_.next_first(flush.commands() + flush.commands_waiting()));
}

void LogFlusher::hand_over(Flush& flush) {
  if (costs_.flush_ns() < kInstantNs) {
    costs_.flush_took(timed_write(flush));
    flush.finish(false);
    return;
  }
  {
    std::lock_guard lock(mutex_);
    to_write_ = &flush;
    finishing_thread_ = static_cast<size_t>(std::max(IoThreads::current(), 0));
  }
  changed_.notify_one();
}

void LogFlusher::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return to_write_ != nullptr || stopping_; });
    if (to_write_ == nullptr) return;
    Flush* const flush = std::exchange(to_write_, nullptr);
    const size_t finishing_thread = finishing_thread_;
    lock.unlock();
    const int64_t took_ns = timed_write(*flush);
    lock.lock();
    to_finish_ = flush;
    took_ns_ = took_ns;
    threads_.post(finishing_thread, [this] { finish_handed_over(); });
  }
}

void LogFlusher::finish_handed_over() {
  Flush* flush;
  {
    std::lock_guard lock(mutex_);
    flush = std::exchange(to_finish_, nullptr);
    if (flush != nullptr) costs_.flush_took(took_ns_);
  }
  if (flush != nullptr) flush->finish(false);
}

int64_t LogFlusher::timed_write(Flush& flush) const {
  const int64_t began_ns = clock_.monotonic_ns();
  flush.write();
  return clock_.monotonic_ns() - began_ns;
}

}  // namespace millrace::sidecar
