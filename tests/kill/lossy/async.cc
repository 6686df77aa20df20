// Asynchronous writes (io_submit(2), by libaio) to files of the folder. A write is pending from the
// moment it is submitted, and durable, if it asked for that, when the program takes its end: at a
// kill in between it is lost, or in part there.

#include <libaio.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <map>
#include <mutex>
#include <string>

#include "pending.h"

namespace {

using namespace lossy;

struct Submitted {
  iocb* request;
  long result;
};

struct Contexts {
  std::mutex mutex;
  std::map<io_context_t, std::deque<Submitted>> submitted;
};

// Never destroyed: threads may write until the very end.
Contexts& contexts() {
  static auto* instance = new Contexts;
  return *instance;
}

constexpr unsigned kNotifies = 1;  // IOCB_FLAG_RESFD

long write_pending(const iocb& request, Descriptor file) {
  file.flags = 0;  // durable at its end, not yet
  std::string bytes;
  long long offset;
  if (request.aio_lio_opcode == IO_CMD_PWRITEV) {
    const auto* parts = static_cast<const iovec*>(request.u.c.buf);
    for (unsigned long i = 0; i < request.u.c.nbytes; ++i) {
      bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    }
    offset = request.u.c.offset;
  } else if (request.aio_lio_opcode == IO_CMD_PWRITE) {
    bytes.assign(static_cast<const char*>(request.u.c.buf), request.u.c.nbytes);
    offset = request.u.c.offset;
  } else {
    return -EINVAL;
  }
  return write_at(file, bytes.data(), bytes.size(), static_cast<uint64_t>(offset));
}

long end(const Submitted& submitted) {
  const iocb& request = *submitted.request;
  const Descriptor file = find(request.aio_fildes);
  const bool durable = (request.aio_rw_flags & (RWF_SYNC | RWF_DSYNC)) != 0 ||
                       (file.flags & (O_SYNC | O_DSYNC)) != 0;
  if (submitted.result <= 0 || !durable) return submitted.result;
  if (!file.pending) return -EBADF;
  const int error = sync_part(file, static_cast<uint64_t>(request.u.c.offset),
                              static_cast<uint64_t>(submitted.result));
  return error == 0 ? submitted.result : -error;
}

}  // namespace

extern "C" {

int io_submit(io_context_t context, long count, iocb* requests[]) {
  for (long i = 0; i < count; ++i) {
    iocb* const request = requests[i];
    const Descriptor file = find(request->aio_fildes);
    if (!file.pending) {
      const int taken = REAL(io_submit)(context, 1, &requests[i]);
      if (taken != 1) return i > 0 ? static_cast<int>(i) : taken;
      continue;
    }
    const long result = write_pending(*request, file);
    {
      Contexts& all = contexts();
      std::lock_guard lock(all.mutex);
      all.submitted[context].push_back({request, result});
    }
    if (request->u.c.flags & kNotifies) {
      const uint64_t one = 1;
      static_cast<void>(REAL(write)(static_cast<int>(request->u.c.resfd), &one, sizeof one));
    }
  }
  return static_cast<int>(count);
}

int io_getevents(io_context_t context, long count_min, long count_max, io_event* events,
                 timespec* timeout) {
  std::deque<Submitted> ended;
  {
    Contexts& all = contexts();
    std::lock_guard lock(all.mutex);
    std::deque<Submitted>& submitted = all.submitted[context];
    while (!submitted.empty() && static_cast<long>(ended.size()) < count_max) {
      ended.push_back(submitted.front());
      submitted.pop_front();
    }
  }
  if (ended.empty()) return REAL(io_getevents)(context, count_min, count_max, events, timeout);
  for (size_t i = 0; i < ended.size(); ++i) {
    events[i] = {};
    events[i].data = ended[i].request->data;
    events[i].obj = ended[i].request;
    events[i].res = static_cast<unsigned long>(end(ended[i]));
  }
  return static_cast<int>(ended.size());
}

}  // extern "C"
