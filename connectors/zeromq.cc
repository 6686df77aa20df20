#include "connectors/zeromq.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>
#include <zmq.hpp>

#include "streams/change_feed.h"

namespace millrace::connectors {
namespace {

// An LSN has at most 16 digits. Whoever sends more is cut off by the library.
constexpr int64_t kAcknowledgementBytesMax = 32;
// Taken in one poll, so that a stream of them does not keep the pump from reading on.
constexpr int kAcknowledgementsMax = 1024;
// How long the end of the process waits for what subscribers have not taken.
constexpr int kPublisherLingerMs = 1000;

Error unavailable(const std::string& what, const zmq::error_t& error) {
  return make_error(ErrorCode::kUnavailable, what + ": " + error.what());
}

void bind(zmq::socket_t& socket, const std::string& endpoint) {
  if (endpoint.find('[') != std::string::npos) socket.set(zmq::sockopt::ipv6, true);
  socket.bind(endpoint);
}

/// Both frames of a change's message; false if nobody takes it now, and then nothing was sent.
bool send(zmq::socket_t& socket, const Record& record, std::string& text) {
  if (!socket.send(zmq::buffer(record.table->name),
                   zmq::send_flags::sndmore | zmq::send_flags::dontwait))
    return false;
  text.clear();
  streams::render_change(*record.table, *record.change, *record.entry, text);
  socket.send(zmq::buffer(text), zmq::send_flags::dontwait);
  return true;
}

/// Fire and forget: a change counts as delivered once the socket has it.
class Publisher final : public Connector {
 public:
  explicit Publisher(const ZeroMqOptions& options) : socket_(context_, zmq::socket_type::pub) {
    socket_.set(zmq::sockopt::sndhwm, options.high_water_mark);
    socket_.set(zmq::sockopt::linger, kPublisherLingerMs);
    bind(socket_, options.endpoint);
  }

  Result<size_t> deliver(std::span<const Record> records) override {
    try {
      for (const Record& record : records) {
        send(socket_, record, text_);
        handed_over_.push_back(record.ticket);
      }
    } catch (const zmq::error_t& error) {
      return unavailable("cannot publish", error);
    }
    return records.size();
  }

  void poll(int, Progress& progress) override {
    progress.acknowledged.insert(progress.acknowledged.end(), handed_over_.begin(),
                                 handed_over_.end());
    handed_over_.clear();
  }

  void flush() override {}
  void reset() override { handed_over_.clear(); }

 private:
  zmq::context_t context_;
  zmq::socket_t socket_;
  std::vector<uint64_t> handed_over_;
  std::string text_;  // reused from record to record
};

/// The sockets of a WorkQueue. Without a linger: what workers have not taken is delivered again.
struct WorkSockets {
  explicit WorkSockets(const ZeroMqOptions& options)
      : changes(context, zmq::socket_type::push),
        acknowledgements(context, zmq::socket_type::pull) {
    changes.set(zmq::sockopt::linger, 0);
    changes.set(zmq::sockopt::sndhwm, static_cast<int>(options.in_flight));
    bind(changes, options.endpoint);
    acknowledgements.set(zmq::sockopt::linger, 0);
    acknowledgements.set(zmq::sockopt::maxmsgsize, kAcknowledgementBytesMax);
    bind(acknowledgements, options.acknowledgements);
  }

  zmq::context_t context;
  zmq::socket_t changes, acknowledgements;
};

/// PUSH deals changes out to whichever workers are there and cannot tell them apart. So that an
/// item's changes are worked on in their order all the same, only one change of an item is under
/// way at a time: the next is sent when it has been acknowledged.
class WorkQueue final : public Connector {
 public:
  WorkQueue(ZeroMqOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock), sockets_(new WorkSockets(options_)) {}

  Result<size_t> deliver(std::span<const Record> records) override {
    if (failed_) return size_t{0};
    size_t count = 0;
    try {
      if (sockets_ == nullptr) sockets_ = std::make_unique<WorkSockets>(options_);
      while (count < records.size() && send_if_free(records[count])) ++count;
    } catch (const zmq::error_t& error) {
      failed_ = true;
      return unavailable("cannot send", error);
    }
    return count;
  }

  void poll(int wait_ms, Progress& progress) override {
    if (failed_ || sockets_ == nullptr) return;
    try {
      take_acknowledgements(wait_ms, progress);
    } catch (const zmq::error_t& error) {
      fail(unavailable("cannot receive acknowledgements", error), progress);
      return;
    }
    const int64_t long_ago_ns = clock_.monotonic_ns() - options_.timeout_ms * int64_t{1'000'000};
    if (!under_way_.empty() && under_way_.begin()->second.sent_ns <= long_ago_ns) {
      fail(make_error(ErrorCode::kUnavailable, "no worker has acknowledged the change with LSN " +
                                                   std::to_string(under_way_.begin()->first) +
                                                   " within " +
                                                   std::to_string(options_.timeout_ms) + " ms"),
           progress);
    } else if (nobody_since_ns_ && *nobody_since_ns_ <= long_ago_ns) {
      progress.trouble = "no worker takes changes at " + options_.endpoint;
    }
  }

  void flush() override {}

  /// With its connections a worker that hangs loses what waits for it, and gets nothing more before
  /// it connects again.
  void reset() override {
    sockets_.reset();
    under_way_.clear();
    busy_items_.clear();
    nobody_since_ns_.reset();
    failed_ = false;
  }

 private:
  struct UnderWay {
    uint64_t ticket;
    std::string item;
    int64_t sent_ns;
  };

  bool send_if_free(const Record& record) {
    if (under_way_.size() >= options_.in_flight) return false;
    std::string item(record.change->key);
    if (busy_items_.contains(item)) return false;
    const int64_t now_ns = clock_.monotonic_ns();
    if (!send(sockets_->changes, record, text_)) {
      if (!nobody_since_ns_) nobody_since_ns_ = now_ns;
      return false;
    }
    nobody_since_ns_.reset();
    busy_items_.insert(item);
    under_way_.emplace(record.change->lsn, UnderWay{record.ticket, std::move(item), now_ns});
    return true;
  }

  void take_acknowledgements(int wait_ms, Progress& progress) {
    zmq::pollitem_t readable{sockets_->acknowledgements, 0, ZMQ_POLLIN, 0};
    if (zmq::poll(&readable, 1, std::chrono::milliseconds(wait_ms)) == 0) return;
    zmq::message_t message;
    for (int i = 0; i < kAcknowledgementsMax; ++i) {
      if (!sockets_->acknowledgements.recv(message, zmq::recv_flags::dontwait)) return;
      acknowledge(message.to_string_view(), progress);
    }
  }

  void acknowledge(std::string_view text, Progress& progress) {
    Lsn lsn = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), lsn);
    if (error != std::errc() || end != text.data() + text.size()) {
      progress.trouble = "a worker sends acknowledgements that are no LSN in decimal";
      return;
    }
    // One that is not there has been acknowledged before, or was under way before a reset.
    auto found = under_way_.find(lsn);
    if (found == under_way_.end()) return;
    progress.acknowledged.push_back(found->second.ticket);
    busy_items_.erase(found->second.item);
    under_way_.erase(found);
  }

  void fail(Error error, Progress& progress) {
    failed_ = true;
    progress.failure = std::move(error);
  }

  const ZeroMqOptions options_;
  const Clock& clock_;
  std::unique_ptr<WorkSockets> sockets_;  // none: to be opened
  std::map<Lsn, UnderWay> under_way_;     // LSNs rise with the time of sending
  std::unordered_set<std::string> busy_items_;
  std::optional<int64_t> nobody_since_ns_;  // since then no worker has taken anything
  bool failed_ = false;                     // nothing is taken until reset()
  std::string text_;                        // reused from record to record
};

}  // namespace

Result<std::unique_ptr<Connector>> open_zeromq(ZeroMqOptions options, const Clock& clock) {
  const std::string where = options.mode == ZeroMqOptions::Mode::kPub
                                ? options.endpoint
                                : options.endpoint + " and " + options.acknowledgements;
  try {
    if (options.mode == ZeroMqOptions::Mode::kPub)
      return std::unique_ptr<Connector>(std::make_unique<Publisher>(options));
    return std::unique_ptr<Connector>(std::make_unique<WorkQueue>(std::move(options), clock));
  } catch (const zmq::error_t& error) {
    return unavailable("cannot bind " + where, error);
  }
}

}  // namespace millrace::connectors
