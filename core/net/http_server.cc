#include "core/net/http_server.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>
#include <utility>
#include <vector>

#include "core/net/http_loop.h"

namespace millrace {

namespace asio = boost::asio;

namespace {

constexpr int kListenBacklog = 1024;

// Connections accepted in one go, so that a flood of them does not starve those that are open.
constexpr int kAcceptsPerRound = 64;

// When so many connections were ready together, others are by the time that they are served: these
// are looked for at once, and not through the event loop, so many times.
constexpr int kBusyEvents = 4;
constexpr int kRoundsMax = 4;

/// A loop of connections joined to the event loop of its thread.
class LoopOnThread : public std::enable_shared_from_this<LoopOnThread> {
 public:
  LoopOnThread(IoThreads& threads, size_t index, const std::shared_ptr<HttpShared>& shared)
      : threads_(threads), index_(index), descriptor_(context()), timer_(context()) {
    loop_ = std::make_shared<HttpLoop>(shared, [this] {
      // Called only while the loop is open, so this outlives the call; the posted work holds it.
      threads_.post(index_, [self = shared_from_this()] { self->loop_->run_inbox(); });
    });
  }

  HttpLoop& loop() { return *loop_; }
  template <typename Work>
  void post(Work work) {
    threads_.post(index_,
                  [self = shared_from_this(), work = std::move(work)] { work(self->loop()); });
  }
  void start() {
    loop_->bind_to_this_thread();
    boost::system::error_code error;
    descriptor_.assign(loop_->epoll_fd(), error);
    timer_.expires_after(std::chrono::seconds(1));
    watch();
    tick();
  }
  void close() {
    loop_->close();
    timer_.cancel();
    if (descriptor_.is_open()) descriptor_.release();  // the loop's own
  }

 private:
  asio::io_context& context() { return *static_cast<asio::io_context*>(threads_.context(index_)); }
  void watch() {
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](boost::system::error_code error) {
                             if (error) return;
                             self->serve_ready();
                             if (self->descriptor_.is_open()) self->watch();
                           });
  }
  void serve_ready() {
    for (int round = 0; round < kRoundsMax; ++round) {
      if (loop_->run_ready() < kBusyEvents || threads_.work_waits(index_)) return;
    }
  }
  void tick() {
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (error) return;
      self->loop_->tick();
      self->timer_.expires_at(self->timer_.expiry() + std::chrono::seconds(1));
      self->tick();
    });
  }

  IoThreads& threads_;
  const size_t index_;
  std::shared_ptr<HttpLoop> loop_;
  asio::posix::stream_descriptor descriptor_;
  asio::steady_timer timer_;
};

Error listen_error(const HttpServerOptions& options, std::string_view cause) {
  return make_error(ErrorCode::kIo, "cannot listen on " + options.host + ":" +
                                        std::to_string(options.port) + ": " + std::string(cause));
}

bool is_loopback(const sockaddr& address) {
  if (address.sa_family == AF_INET6) {
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  }
  return ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24 ==
         IN_LOOPBACKNET;
}

Result<int> open_listener(const HttpServerOptions& options) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(options.port);
  if (int code = getaddrinfo(options.host.c_str(), service.c_str(), &hints, &found); code != 0) {
    return listen_error(options, gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  const int listener =
      ::socket(addresses->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) return listen_error(options, std::strerror(errno));
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (is_loopback(*addresses->ai_addr)) {
    // Nothing is congested within a machine. A host whose default is BBR would measure and pace
    // every answer, some 4% of a cache hit. Accepted sockets inherit it; where it is refused, the
    // default stays.
    constexpr std::string_view kCheapest = "reno";
    setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, kCheapest.data(), kCheapest.size());
  }
  if (::bind(listener, addresses->ai_addr, addresses->ai_addrlen) != 0 ||
      ::listen(listener, kListenBacklog) != 0) {
    const int cause = errno;
    ::close(listener);
    return listen_error(options, std::strerror(cause));
  }
  return listener;
}

uint16_t port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

}  // namespace

struct HttpServer::State : std::enable_shared_from_this<HttpServer::State> {
  State(IoThreads& io, HttpServerOptions options, Handler handler)
      : threads(io), shared(std::make_shared<HttpShared>()) {
    shared->options = std::move(options);
    shared->handler = std::move(handler);
    for (size_t i = 0; i < io.count(); ++i) {
      loops.push_back(std::make_shared<LoopOnThread>(io, i, shared));
    }
  }

  void accept_ready();
  void stop_accepting();
  void drain(int timeout_ms, std::function<void()> done);

  IoThreads& threads;
  const std::shared_ptr<HttpShared> shared;
  std::vector<std::shared_ptr<LoopOnThread>> loops;
  // Thread 0's, once started.
  int listener = -1;
  // Given up for a moment when no descriptor is left, so that a connection can be refused rather
  // than announced again and again.
  int spare_descriptor = -1;
  size_t next_loop = 0;
  uint16_t port = 0;
};

void HttpServer::State::accept_ready() {
  for (int i = 0; i < kAcceptsPerRound && listener >= 0; ++i) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if ((errno == EMFILE || errno == ENFILE) && spare_descriptor >= 0) {
        ::close(spare_descriptor);
        const int refused = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (refused >= 0) ::close(refused);
        spare_descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      }
      return;
    }
    if (shared->connections.fetch_add(1) >= shared->options.connections_max) {
      shared->connections.fetch_sub(1);
      ::close(socket);
      continue;
    }
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    LoopOnThread& target = *loops[next_loop];
    next_loop = (next_loop + 1) % loops.size();
    if (target.loop().on_this_thread()) {
      target.loop().add(socket);
    } else {
      target.post([socket](HttpLoop& loop) { loop.add(socket); });
    }
  }
}

void HttpServer::State::stop_accepting() {
  if (listener < 0) return;
  loops[0]->loop().unwatch_listener(listener);
  ::close(std::exchange(listener, -1));
  if (spare_descriptor >= 0) ::close(std::exchange(spare_descriptor, -1));
}

void HttpServer::State::drain(int timeout_ms, std::function<void()> done) {
  struct Once {
    std::function<void()> done;
    std::atomic<bool> called{false};
    std::atomic<size_t> loops_left;
    std::unique_ptr<asio::steady_timer> timer;  // thread 0's
  };
  auto once = std::make_shared<Once>();
  once->done = std::move(done);
  once->loops_left = loops.size();
  // Always from the queue of thread 0: never within a connection's own call.
  auto finish = [once, first = loops[0]] {
    if (once->called.exchange(true)) return;
    first->post([once](HttpLoop&) {
      if (once->timer) once->timer->cancel();
      once->done();
    });
  };
  shared->drained = [once, finish] {
    if (once->loops_left.load() == 0) finish();
  };
  loops[0]->post([self = shared_from_this(), once, finish, timeout_ms](HttpLoop&) {
    self->stop_accepting();
    auto& context = *static_cast<asio::io_context*>(self->threads.context(0));
    once->timer = std::make_unique<asio::steady_timer>(context);
    once->timer->expires_after(std::chrono::milliseconds(timeout_ms));
    once->timer->async_wait([finish](boost::system::error_code error) {
      if (!error) finish();
    });
    self->shared->draining = true;
    // Sockets handed to other threads before are there before this is.
    for (auto& loop : self->loops) {
      loop->post([once, finish, shared = self->shared](HttpLoop& on) {
        on.drain();
        if (once->loops_left.fetch_sub(1) == 1 && shared->connections.load() == 0) finish();
      });
    }
  });
}

HttpServer::HttpServer(IoThreads& threads, HttpServerOptions options, Handler handler)
    : state_(std::make_shared<State>(threads, std::move(options), std::move(handler))) {}

HttpServer::~HttpServer() {
  const bool running = state_->threads.running();
  for (size_t i = 0; i < state_->loops.size(); ++i) {
    const auto close = [state = state_, i] {
      if (i == 0) state->stop_accepting();
      state->loops[i]->close();
    };
    if (!running || state_->loops[i]->loop().on_this_thread()) {
      close();
      continue;
    }
    std::promise<void> closed;
    state_->loops[i]->post([&](HttpLoop&) {
      close();
      closed.set_value();
    });
    closed.get_future().wait();
  }
  // It refers to the loops, which refer to what is shared. All are closed: nobody calls it.
  state_->shared->drained = nullptr;
}

Status HttpServer::start() {
  State& state = *state_;
  for (auto& loop : state.loops) {
    if (loop->loop().epoll_fd() < 0)
      return listen_error(state.shared->options, "no epoll instance");
  }
  ASSIGN_OR_RETURN(state.listener, open_listener(state.shared->options));
  state.port = port_of(state.listener);
  state.spare_descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  for (size_t i = state.loops.size(); i-- > 0;) {
    state.loops[i]->post([loop = state.loops[i], i, weak = state.weak_from_this()](HttpLoop& on) {
      loop->start();
      if (i > 0) return;
      const std::shared_ptr<State> self = weak.lock();
      if (self == nullptr || self->listener < 0) return;
      on.watch_listener(self->listener, [weak] {
        if (const std::shared_ptr<State> accepting = weak.lock()) accepting->accept_ready();
      });
    });
  }
  return {};
}

uint16_t HttpServer::port() const { return state_->port; }

void HttpServer::drain(int timeout_ms, std::function<void()> done) {
  state_->drain(timeout_ms, std::move(done));
}

}  // namespace millrace
