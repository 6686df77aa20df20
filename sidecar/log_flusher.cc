#include "sidecar/log_flusher.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace millrace::sidecar {
namespace {

constexpr int64_t kAveraged = 8;

// What usually must be waited for no longer is waited for at once: a file system in memory.
constexpr int64_t kInstantNs = 30'000;

void average(int64_t& value, int64_t sample) { value += (sample - value) / kAveraged; }

}  // namespace

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
    flush.finish();
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
  network.watch->once_readable([this] { end(); });
  return true;
}

void LogFlusher::end() {
  Flush& flush = *std::exchange(under_way_, nullptr);
  flush.end(*network_->write);
  flush.finish();
}

void LogFlusher::hand_over(Flush& flush) {
  if (waited_ns_ < kInstantNs) {
    average(waited_ns_, timed_write(flush));
    flush.finish();
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
  if (flush != nullptr) flush->finish();
}

int64_t LogFlusher::timed_write(Flush& flush) const {
  const int64_t began_ns = clock_.monotonic_ns();
  flush.write();
  return clock_.monotonic_ns() - began_ns;
}

}  // namespace millrace::sidecar
