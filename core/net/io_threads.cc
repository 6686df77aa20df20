#include "core/net/io_threads.h"

#include <atomic>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/check.h"

namespace millrace {

namespace asio = boost::asio;

namespace {
thread_local int current_index = -1;
thread_local const void* current_owner = nullptr;
}  // namespace

struct IoThreads::State {
  struct Loop {
    // One thread runs each context: the hint lets asio skip wake-ups of other threads.
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work =
        asio::make_work_guard(context);
    std::thread thread;
    std::atomic<size_t> waiting{0};  // of what was posted
  };
  std::deque<Loop> loops;
};

IoThreads::IoThreads(size_t count) : state_(std::make_unique<State>()) {
  CHECK(count > 0);
  for (size_t i = 0; i < count; ++i) state_->loops.emplace_back();
}

IoThreads::~IoThreads() {
  stop();
  join();
}

void IoThreads::start() {
  int index = 0;
  for (State::Loop& loop : state_->loops) {
    CHECK(!loop.thread.joinable());
    loop.thread = std::thread([owner = state_.get(), &loop, index] {
      current_index = index;
      current_owner = owner;
      loop.context.run();
    });
    ++index;
  }
}

void IoThreads::stop() {
  for (State::Loop& loop : state_->loops) loop.context.stop();
}

void IoThreads::join() {
  for (State::Loop& loop : state_->loops) {
    if (loop.thread.joinable()) loop.thread.join();
  }
}

bool IoThreads::running() const {
  const State::Loop& first = state_->loops.front();
  return first.thread.joinable() && !first.context.stopped();
}

size_t IoThreads::count() const { return state_->loops.size(); }

int IoThreads::current() { return current_index; }

void IoThreads::post(size_t index, std::function<void()> work) {
  State::Loop& loop = state_->loops[index];
  loop.waiting.fetch_add(1, std::memory_order_relaxed);
  asio::post(loop.context, [&loop, work = std::move(work)] {
    loop.waiting.fetch_sub(1, std::memory_order_relaxed);
    work();
  });
}

bool IoThreads::work_waits(size_t index) const {
  return state_->loops[index].waiting.load(std::memory_order_relaxed) > 0;
}

void IoThreads::post_in(size_t index, int64_t delay_ns, std::function<void()> work) {
  auto timer = std::make_shared<asio::steady_timer>(state_->loops[index].context,
                                                    std::chrono::nanoseconds(delay_ns));
  timer->async_wait([timer, work = std::move(work)](boost::system::error_code error) {
    if (!error) work();
  });
}

void IoThreads::post_here(std::function<void()> work) {
  // A context keeps what is ready in one queue and looks for new events when it reaches its end, so
  // what is posted from within runs behind every event of this wake-up.
  const bool here = current_owner == state_.get();
  post(here ? static_cast<size_t>(current_index) : 0, std::move(work));
}

namespace {

class DescriptorWatch final : public IoThreads::Watch {
 public:
  DescriptorWatch(asio::io_context& context, int descriptor) : descriptor_(context, descriptor) {}
  ~DescriptorWatch() override { descriptor_.release(); }

  void once_readable(std::function<void()> work) override {
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [work = std::move(work)](boost::system::error_code error) {
                             // Whatever else happened to it is for who reads it to find.
                             if (error != asio::error::operation_aborted) work();
                           });
  }

 private:
  asio::posix::stream_descriptor descriptor_;
};

}  // namespace

std::unique_ptr<IoThreads::Watch> IoThreads::watch(size_t index, int descriptor) {
  return std::make_unique<DescriptorWatch>(state_->loops[index].context, descriptor);
}

void* IoThreads::context(size_t index) { return &state_->loops[index].context; }

}  // namespace millrace
