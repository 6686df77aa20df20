#include "sidecar/log_flusher.h"

#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <utility>

namespace millrace::sidecar {
namespace {

constexpr int64_t kAveraged = 8;

// What usually must be waited for no longer is waited for at once: a file system in memory.
constexpr int64_t kInstantNs = 30'000;

// What a thread does from flush to flush is what the commands cost, if the flushes follow each other
// so closely; and no command costs more.
constexpr int64_t kPauseNs = 10'000'000;
constexpr int64_t kCommandNsMax = 1'000'000;

void average(int64_t& value, int64_t sample) { value += (sample - value) / kAveraged; }

int64_t thread_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

void FlushCosts::flush_took(int64_t ns) { average(flush_ns_, ns); }

void FlushCosts::commands_took(int64_t cpu_ns, size_t commands) {
  if (commands == 0) return;
  average(command_ns_, std::min(cpu_ns / static_cast<int64_t>(commands), kCommandNsMax));
}

LogFlusher::LogFlusher(IoThreads& threads, Clock& clock)
    : threads_(threads), clock_(clock), networks_(threads.count()), waited_ns_(kInstantNs) {
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
  const int64_t began_ns = clock_.monotonic_ns();
  if (!network.write || !flush.begin(*network.write)) return false;
  under_way_ = &flush;
  network_ = &network;
  began_ns_ = began_ns;
  network.watch->once_readable([this] { end(); });
  return true;
}

void LogFlusher::end() {
  Flush& flush = *std::exchange(under_way_, nullptr);
  Network& network = *network_;
  flush.end(*network.write);
  note_costs(network, flush.commands());
  flush.finish(costs_.next_first(flush.commands() + flush.commands_waiting()));
}

void LogFlusher::note_costs(Network& network, size_t commands) {
  const int64_t now_ns = clock_.monotonic_ns();
  const int64_t cpu_ns = thread_cpu_ns();
  costs_.flush_took(now_ns - began_ns_);
  const int64_t spent_ns = cpu_ns - std::exchange(network.cpu_ns, cpu_ns);
  const int64_t since_ns = now_ns - std::exchange(network.finished_ns, now_ns);
  if (since_ns < kPauseNs) costs_.commands_took(spent_ns, commands);
}

void LogFlusher::hand_over(Flush& flush) {
  if (waited_ns_ < kInstantNs) {
    average(waited_ns_, timed_write(flush));
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
    if (flush != nullptr) average(waited_ns_, took_ns_);
  }
  if (flush != nullptr) flush->finish(false);
}

int64_t LogFlusher::timed_write(Flush& flush) const {
  const int64_t began_ns = clock_.monotonic_ns();
  flush.write();
  return clock_.monotonic_ns() - began_ns;
}

}  // namespace millrace::sidecar
