#include "core/base/async_write.h"

#include <libaio.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/check.h"

namespace millrace {
namespace {

class KernelWrite final : public AsyncWrite {
 public:
  KernelWrite(io_context_t context, int ready_fd) : context_(context), ready_fd_(ready_fd) {}
  ~KernelWrite() override {
    if (under_way_) end();
    ::io_destroy(context_);
    ::close(ready_fd_);
  }
  KernelWrite(const KernelWrite&) = delete;
  KernelWrite& operator=(const KernelWrite&) = delete;

  int ready_fd() const override { return ready_fd_; }

  bool begin(int file, const char* bytes, size_t size, uint64_t offset) override {
    CHECK(!under_way_);
    part_ = {const_cast<char*>(bytes), size};
    ::io_prep_pwritev2(&request_, file, &part_, 1, static_cast<int64_t>(offset), RWF_DSYNC);
    ::io_set_eventfd(&request_, ready_fd_);
    iocb* requests[] = {&request_};
    under_way_ = ::io_submit(context_, 1, requests) == 1;
    return under_way_;
  }

  int64_t end() override {
    CHECK(under_way_);
    io_event event{};
    int taken;
    do {
      taken = ::io_getevents(context_, 1, 1, &event, nullptr);
    } while (taken == -EINTR);
    // Nothing but a context that is none makes it fail.
    CHECK(taken == 1);
    under_way_ = false;
    // Its notification: so that the next one's is told from it.
    uint64_t count;
    [[maybe_unused]] ssize_t read = ::read(ready_fd_, &count, sizeof count);
    return static_cast<int64_t>(event.res);
  }

 private:
  const io_context_t context_;
  const int ready_fd_;
  iovec part_{};
  iocb request_{};
  bool under_way_ = false;
};

}  // namespace

std::unique_ptr<AsyncWrite> AsyncWrite::create() {
  io_context_t context = nullptr;
  if (::io_setup(1, &context) != 0) return nullptr;
  const int ready_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (ready_fd < 0) {
    ::io_destroy(context);
    return nullptr;
  }
  return std::make_unique<KernelWrite>(context, ready_fd);
}

}  // namespace millrace
