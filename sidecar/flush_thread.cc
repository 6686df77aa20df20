#include "sidecar/flush_thread.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace millrace::sidecar {
namespace {

// Flushes that usually take longer than this are handed over. A local disk takes 0.1 ms, a volume
// in a cloud's network 1 ms.
constexpr int64_t kQuickNs = 300'000;
constexpr int64_t kAveraged = 8;

// Whoever has read will read again within this. A quick disk too has moments of some milliseconds,
// and a read that comes in one would wait behind the flush.
constexpr int64_t kReadersStayNs = 1'000'000'000;

// That holds for so many flushes after a read: a hand-over costs as much as a small batch, and one
// who looks now and then is not worth one for every flush.
constexpr uint64_t kFlushesARead = 64;
constexpr uint64_t kHandOversMax = 4096;

}  // namespace

void FlushThread::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "flush");
    run();
  });
}

void FlushThread::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  finish();
}

bool FlushThread::clients_read() {
  const int64_t now_ns = clock_.monotonic_ns();
  const uint64_t reads = reads_answered_();
  const uint64_t new_reads = reads - std::exchange(reads_seen_, reads);
  if (new_reads > 0) {
    reads_until_ns_ = now_ns + kReadersStayNs;
    hand_overs_ = std::min(hand_overs_ + kFlushesARead * new_reads, kHandOversMax);
  }
  if (now_ns >= reads_until_ns_) hand_overs_ = 0;
  if (hand_overs_ == 0) return false;
  --hand_overs_;
  return true;
}

void FlushThread::flush(std::function<void()> write, std::function<void()> finish) {
  const bool read = clients_read();
  if (!read && usual_ns_.load(std::memory_order_relaxed) < kQuickNs) {
    timed(write);
    finish();
    return;
  }
  {
    std::lock_guard lock(mutex_);
    write_ = std::move(write);
    finish_ = std::move(finish);
    finishing_thread_ = static_cast<size_t>(std::max(IoThreads::current(), 0));
  }
  changed_.notify_one();
}

void FlushThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return write_ || stopping_; });
    if (!write_) return;
    const std::function<void()> write = std::exchange(write_, nullptr);
    const size_t finishing_thread = finishing_thread_;
    lock.unlock();
    timed(write);
    threads_.post(finishing_thread, [this] { finish(); });
    lock.lock();
  }
}

void FlushThread::timed(const std::function<void()>& write) {
  const int64_t start_ns = clock_.monotonic_ns();
  write();
  const int64_t usual = usual_ns_.load(std::memory_order_relaxed);
  usual_ns_.store(usual + (clock_.monotonic_ns() - start_ns - usual) / kAveraged,
                  std::memory_order_relaxed);
}

void FlushThread::finish() {
  std::function<void()> finish;
  {
    std::lock_guard lock(mutex_);
    finish = std::exchange(finish_, nullptr);
  }
  if (finish) finish();
}

}  // namespace millrace::sidecar
