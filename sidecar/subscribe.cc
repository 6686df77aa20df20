#include "sidecar/subscribe.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "core/base/clock.h"
#include "core/base/random.h"
#include "core/ops/json_fields.h"
#include "sidecar/event_log.h"
#include "sidecar/handler_process.h"

namespace millrace::sidecar {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
// A signal is seen at the latest when a poll that found nothing ends.
constexpr int64_t kPollWaitMs = 1000;
constexpr int64_t kPollRecords = 500;
constexpr int64_t kAcknowledgeMs = 1000;
constexpr int64_t kPauseMsMin = 100;
constexpr int64_t kPauseMsMax = 30'000;
constexpr int64_t kSidecarPauseMsMax = 5000;
constexpr int64_t kStopGraceMs = 5000;

using Leases = std::set<std::pair<uint32_t, uint64_t>>;

std::string member_name() {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return std::string(host).substr(0, 150) + ":" + std::to_string(getpid());
}

/// Where events go that failed.
class FailedFile {
 public:
  Status open(const std::string& path) {
    if (path.empty()) return {};
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd_ >= 0) return {};
    return make_error(ErrorCode::kConfig, "--failed " + path + ": " + strerror(errno));
  }
  ~FailedFile() {
    if (fd_ >= 0) close(fd_);
  }
  /// Durable when it returns.
  Status append(std::string_view event, const std::string& reason) {
    if (fd_ < 0) return {};
    std::string line;
    JsonFields json(line);
    json.text("reason", reason);
    json.raw("event", event.substr(0, event.size() - 1));
    json.end();
    line += '\n';
    for (std::string_view rest = line; !rest.empty();) {
      const ssize_t size = ::write(fd_, rest.data(), rest.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return make_error(ErrorCode::kIo, std::string("--failed: ") + strerror(errno));
      rest.remove_prefix(static_cast<size_t>(size));
    }
    if (fdatasync(fd_) != 0 && errno != EINVAL && errno != EROFS)
      return make_error(ErrorCode::kIo, std::string("--failed: ") + strerror(errno));
    return {};
  }

 private:
  int fd_ = -1;
};

/// The signals that end the program, taken by a thread that also tells the sidecar that this member
/// lives, however long a handler takes.
class Watch {
 public:
  Watch(const SubscriptionClient& client, int64_t interval_ms)
      : client_(client), interval_ms_(interval_ms) {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::thread([this] { run(); });
  }
  ~Watch() {
    ended_ = true;
    thread_.join();
  }
  bool stopping() const { return stopping_; }
  /// Between a join and the end of its session.
  void set_joined(bool joined) {
    std::lock_guard lock(mutex_);
    joined_ = joined;
  }
  void set_leases(Leases leases) {
    std::lock_guard lock(mutex_);
    leases_ = std::move(leases);
  }
  bool holds(const streams::Lease& lease) const {
    std::lock_guard lock(mutex_);
    return leases_.contains({lease.shard, lease.epoch});
  }
  /// False if it was cut short by a signal.
  bool pause(int64_t ms) {
    std::unique_lock lock(mutex_);
    return !stopped_.wait_for(lock, std::chrono::milliseconds(ms),
                              [this] { return stopping_.load(); });
  }

 private:
  void run() {
    int64_t left_ms = interval_ms_;
    while (!ended_) {
      constexpr int64_t kSliceMs = 100;
      timespec slice{0, kSliceMs * kNsPerMs};
      if (sigtimedwait(&signals_, nullptr, &slice) > 0) {
        std::lock_guard lock(mutex_);
        stopping_ = true;
        stopped_.notify_all();
      }
      if ((left_ms -= kSliceMs) > 0) continue;
      left_ms = interval_ms_;
      renew();
    }
  }
  void renew() {
    std::lock_guard lock(mutex_);  // so that no join changes the session meanwhile
    if (!joined_) return;
    // What is wrong the other thread is told too.
    if (auto leases = client_.acknowledge({})) leases_ = std::move(leases).value();
  }

  const SubscriptionClient& client_;
  const int64_t interval_ms_;
  sigset_t signals_;
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  bool joined_ = false;  // guarded by mutex_
  Leases leases_;        // guarded by mutex_
  std::atomic<bool> stopping_{false}, ended_{false};
  std::thread thread_;
};

int64_t longer(int64_t pause_ms, int64_t most_ms) {
  return std::clamp(pause_ms * 2, kPauseMsMin, most_ms);
}

class Subscriber {
 public:
  explicit Subscriber(const SubscribeOptions& options)
      : options_(options),
        client_(client_options(options), options.name),
        handler_(options.handler, clock_),
        watch_(client_, options.session_timeout_ms / 4) {}

  Status run();

 private:
  static AdminClientOptions client_options(const SubscribeOptions& options) {
    AdminClientOptions client;
    client.host = options.admin.host;
    client.port = options.admin.port;
    client.answer_timeout_ms = static_cast<int>(kPollWaitMs) + 15'000;
    return client;
  }
  Status join();
  Status round();
  Status rejoin(const Error& error);
  Status take(const SubscriptionClient::Event& event);
  bool tried_enough(uint64_t attempts) const {
    return options_.attempts_max > 0 && attempts >= options_.attempts_max;
  }
  Status give_up(const SubscriptionClient::Event& event, const std::string& reason);
  Status acknowledge();
  void warn(const std::string& message) {
    log_event(Severity::kWarning, "subscription", {{"name", options_.name}, {"message", message}});
  }

  const SubscribeOptions& options_;
  SystemClock clock_;
  SubscriptionClient client_;
  HandlerProcess handler_;
  FailedFile failed_;
  Watch watch_;
  std::map<std::pair<uint32_t, uint64_t>, Lsn> done_;  // not yet acknowledged
  Leases lost_;                                        // of this session
  int64_t acknowledged_ns_ = 0;
  int64_t restart_pause_ms_ = 0;
  int64_t sidecar_pause_ms_ = 0;
};

Status Subscriber::join() {
  watch_.set_joined(false);
  done_.clear();
  lost_.clear();
  Status joined = client_.join(member_name(), options_.session_timeout_ms);
  if (!joined) {
    Error error = joined.error();
    if (error.message.find("there is no subscription") != std::string::npos)
      error.message += " (--table or --all-tables creates one)";
    return error;
  }
  watch_.set_joined(true);
  return {};
}

Status Subscriber::run() {
  RETURN_IF_ERROR(failed_.open(options_.failed));
  RETURN_IF_ERROR(handler_.start());
  if (options_.creation) RETURN_IF_ERROR(client_.create(*options_.creation));
  RETURN_IF_ERROR(join());
  Status ended;
  while (ended && !watch_.stopping()) {
    Status status = round();
    if (status) {
      sidecar_pause_ms_ = 0;
    } else if (status.error().code == ErrorCode::kUnavailable ||
               status.error().code == ErrorCode::kResourceNotFound) {
      ended = rejoin(status.error());
    } else {
      ended = status;
    }
  }
  if (ended) {
    Status last = acknowledge();
    if (!last) warn("what is not acknowledged comes again: " + last.error().message);
  }
  watch_.set_joined(false);
  (void)client_.leave().has_value();  // else its session ends by itself
  handler_.stop(kStopGraceMs);
  return ended;
}

/// The sidecar is away, or has ended the session: begins another one.
Status Subscriber::rejoin(const Error& error) {
  warn(error.message);
  watch_.set_joined(false);
  (void)client_.leave().has_value();  // so that its shards wait for no timeout
  while (!watch_.stopping()) {
    if (sidecar_pause_ms_ > 0 && !watch_.pause(sidecar_pause_ms_)) break;
    sidecar_pause_ms_ = longer(sidecar_pause_ms_, kSidecarPauseMsMax);
    Status joined = join();
    if (joined) return {};
    if (joined.error().code != ErrorCode::kUnavailable) return joined;
  }
  return {};
}

/// One poll, and what it gave.
Status Subscriber::round() {
  ASSIGN_OR_RETURN(const SubscriptionClient::Polled polled,
                   client_.poll(kPollWaitMs, kPollRecords));
  for (const auto& lease : polled.leases) {
    if (lost_.contains(lease))
      return make_error(ErrorCode::kResourceNotFound, "lost a lease that is held");
  }
  watch_.set_leases(polled.leases);
  acknowledged_ns_ = clock_.monotonic_ns();
  for (const SubscriptionClient::Event& event : polled.events) {
    if (watch_.stopping()) break;
    const std::pair<uint32_t, uint64_t> lease(event.lease.shard, event.lease.epoch);
    if (lost_.contains(lease)) continue;
    if (!watch_.holds(event.lease)) {
      // Another member's now. Nothing of it may be acknowledged any more: that would be done with
      // what is left out here.
      done_.erase(lease);
      lost_.insert(lease);
      continue;
    }
    if (event.trimmed) {
      warn("shard " + std::to_string(event.lease.shard) + ": changes before LSN " +
           std::to_string(event.lsn) + " were trimmed before they were read");
      continue;
    }
    RETURN_IF_ERROR(take(event));
    if (clock_.monotonic_ns() - acknowledged_ns_ >= kAcknowledgeMs * kNsPerMs)
      RETURN_IF_ERROR(acknowledge());
  }
  return acknowledge();
}

/// Gives the handler one event until it is done with, or the program ends, or the shard has gone to
/// another member.
Status Subscriber::take(const SubscriptionClient::Event& event) {
  int64_t pause_ms = 0;
  for (uint64_t attempts = 1;; ++attempts) {
    if (!handler_.running()) {
      if (restart_pause_ms_ > 0 && !watch_.pause(restart_pause_ms_)) return {};
      RETURN_IF_ERROR(handler_.start());
    }
    Verdict verdict = handler_.handle(event.line, options_.timeout_ms);
    if (verdict.kind == Verdict::Kind::kBroken) {
      restart_pause_ms_ = longer(restart_pause_ms_, kPauseMsMax);
      warn("the handler is started again, at LSN " + std::to_string(event.lsn) + ": " +
           verdict.reason);
    } else {
      restart_pause_ms_ = 0;
    }
    switch (verdict.kind) {
      case Verdict::Kind::kOk:
        done_[{event.lease.shard, event.lease.epoch}] = event.lsn;
        return {};
      case Verdict::Kind::kFailed:
        return give_up(event, verdict.reason);
      case Verdict::Kind::kRetry:
        verdict.reason = "it was to be tried again";
        pause_ms = longer(pause_ms, kPauseMsMax);
        break;
      case Verdict::Kind::kBroken:
        break;
    }
    if (tried_enough(attempts)) {
      return give_up(
          event, "tried " + std::to_string(attempts) + " times, the last time " + verdict.reason);
    }
    // Nothing behind this event may be handed out before it, but what is done need not wait.
    RETURN_IF_ERROR(acknowledge());
    if (verdict.kind == Verdict::Kind::kRetry && !watch_.pause(pause_ms)) return {};
    if (watch_.stopping()) return {};
    if (!watch_.holds(event.lease)) {
      lost_.insert({event.lease.shard, event.lease.epoch});
      return {};
    }
  }
}

Status Subscriber::give_up(const SubscriptionClient::Event& event, const std::string& reason) {
  RETURN_IF_ERROR(failed_.append(event.line, reason));
  warn("LSN " + std::to_string(event.lsn) + " failed: " + reason);
  done_[{event.lease.shard, event.lease.epoch}] = event.lsn;
  return {};
}

Status Subscriber::acknowledge() {
  acknowledged_ns_ = clock_.monotonic_ns();
  if (done_.empty()) return {};
  ASSIGN_OR_RETURN(Leases leases, client_.acknowledge(done_));
  done_.clear();
  watch_.set_leases(std::move(leases));
  return {};
}

}  // namespace

Status subscribe(const SubscribeOptions& options) {
  start_event_log(LogFormat::kText);
  signal(SIGPIPE, SIG_IGN);  // a handler that has ended is seen by its pipes
  return Subscriber(options).run();
}

}  // namespace millrace::sidecar
