// A load generator: N connections, each with one request under way. Closed loop by default: a
// connection asks again as soon as it is answered. With --rate, open loop: requests have due times,
// and a latency counts from when its request was due, not from when a connection was free to send
// it, so that a server's stall shows in every request that it delayed. One thread, epoll, one
// receive and one send a request.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "histogram.h"
#include "protocol.h"

namespace {

constexpr char kUsage[] =
    "usage: load --port PORT [--resp] [--op get|put|update|static|batch|transact|query|scan]\n"
    "            [--host IPv4] [--table NAME] [--path PATH] [--consistent] [--page ITEMS]\n"
    "            [--expires EPOCH_SECONDS] [--keys N] [--connections N] [--seconds S]\n"
    "            [--warmup S] [--rate REQUESTS_A_SECOND] [--seed N] [--fill] [--pid PID]\n"
    "Prints one JSON object; exits 1 if any answer was wrong. --fill puts each key once instead\n"
    "of running for a time, with --op batch in batches of small items. SIGTERM ends the time.\n"
    "--pid: of the server, for its CPU time.\n";

struct Options {
  Target target;
  uint64_t keys = 100000;
  int connections = 16;
  double seconds = 5;
  double warmup = 0;
  double rate = 0;
  uint64_t seed = 1;
  bool fill = false;
  int pid = 0;
};

// How often an answer's content is looked at, not its status alone.
constexpr uint64_t kThoroughEvery = 64;

volatile std::sig_atomic_t asked_to_end = 0;

uint64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "load: %s\n", what.c_str());
  std::exit(2);
}

/// CPU seconds of a process so far, user and system.
double cpu_seconds_of(int pid) {
  if (pid == 0) return 0;
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double own_cpu_seconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        request_(options.target),
        keys_per_request_(keys_per_request(options.target.op)),
        random_(options.seed * 2 + 1) {}
  int run();

 private:
  struct Connection {
    int socket = -1;
    uint64_t key = 0;
    uint64_t started_ns = 0;
    std::string partial;
  };

  void connect_all();
  void send_on(Connection& connection, uint64_t started_ns);
  void receive_on(Connection& connection);
  void judge_on(Connection& connection, std::string_view received);
  void answered(Connection& connection, Answer answer);
  void send_due();
  void wait_and_receive();
  void print(double seconds, double server_cpu, double own_cpu) const;
  uint64_t next_random() {  // xorshift64
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    return random_ ^= random_ << 17;
  }
  bool more_to_send() const {
    return options_.fill ? sent_ * keys_per_request_ < options_.keys : now_ < end_ns_;
  }
  uint64_t next_key();

  const Options options_;
  RequestTemplate request_;
  const uint64_t keys_per_request_;
  uint64_t random_;
  int epoll_ = -1;
  std::vector<Connection> connections_;
  std::vector<Connection*> free_;  // open loop only
  std::unique_ptr<char[]> buffer_{new char[kBufferBytes]};
  static constexpr size_t kBufferBytes = 1 << 20;
  uint64_t now_ = 0, end_ns_ = 0, measure_from_ns_ = 0, next_due_ns_ = 0, interval_ns_ = 0;
  uint64_t sent_ = 0, under_way_ = 0, errors_ = 0, measured_ = 0;
  std::string first_error_;
  Histogram latencies_;
};

void Load::connect_all() {
  epoll_ = epoll_create1(0);
  connections_.resize(static_cast<size_t>(options_.connections));
  for (Connection& connection : connections_) {
    connection.socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(options_.target.port));
    if (inet_pton(AF_INET, options_.target.host.c_str(), &address.sin_addr) != 1) {
      fail("--host must be an IPv4 address");
    }
    if (::connect(connection.socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      fail(std::string("cannot connect: ") + std::strerror(errno));
    }
    const int on = 1;
    setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event);
  }
}

uint64_t Load::next_key() {
  if (options_.fill) return sent_ * keys_per_request_;
  const bool page = options_.target.op == Op::kQuery || options_.target.op == Op::kScan;
  // Behind the last of these keys a page would not be full.
  return next_random() % (options_.keys - (page ? static_cast<uint64_t>(options_.target.page) : 0));
}

void Load::send_on(Connection& connection, uint64_t started_ns) {
  connection.key = next_key();
  connection.started_ns = started_ns;
  const std::string_view bytes =
      request_.render(connection.key, options_.seed * 1000000007u + sent_);
  ++sent_;
  ++under_way_;
  // The socket blocks: what its buffer does not hold at once is waited for.
  if (::send(connection.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(bytes.size())) {
    fail(std::string("send: ") + std::strerror(errno));
  }
}

void Load::receive_on(Connection& connection) {
  const ssize_t size = ::recv(connection.socket, buffer_.get(), kBufferBytes - 1, 0);
  if (size <= 0) fail("the server closed a connection");
  buffer_[static_cast<size_t>(size)] = '\0';
  const std::string_view received(buffer_.get(), static_cast<size_t>(size));
  if (connection.partial.empty()) return judge_on(connection, received);
  connection.partial.append(received);
  judge_on(connection, connection.partial);
}

void Load::judge_on(Connection& connection, std::string_view received) {
  size_t size = 0;
  const bool thorough = sent_ % kThoroughEvery == 0;
  const Answer answer = judge(options_.target, received, connection.key, thorough, size);
  if (answer == Answer::kIncomplete) {
    if (connection.partial.empty()) connection.partial.assign(received);
    return;
  }
  if (answer == Answer::kError && first_error_.empty()) first_error_ = received.substr(0, 600);
  connection.partial.clear();
  answered(connection, answer);
}

void Load::answered(Connection& connection, Answer answer) {
  --under_way_;
  now_ = now_ns();
  if (answer == Answer::kError) ++errors_;
  if (now_ >= measure_from_ns_ && (options_.fill || now_ < end_ns_)) {
    ++measured_;
    latencies_.add(now_ - std::min(now_, connection.started_ns));
  }
  if (options_.rate > 0) {
    free_.push_back(&connection);
  } else if (more_to_send()) {
    send_on(connection, now_);
  }
}

void Load::send_due() {
  while (!free_.empty() && now_ >= next_due_ns_ && next_due_ns_ < end_ns_) {
    Connection& connection = *free_.back();
    free_.pop_back();
    send_on(connection, next_due_ns_);
    next_due_ns_ += interval_ns_;
  }
}

void Load::wait_and_receive() {
  epoll_event events[256];
  timespec timeout{1, 0};
  if (options_.rate > 0 && !free_.empty()) {
    const uint64_t wait = next_due_ns_ > now_ ? next_due_ns_ - now_ : 0;
    timeout = {static_cast<time_t>(wait / 1000000000u), static_cast<long>(wait % 1000000000u)};
  }
  const int count = epoll_pwait2(epoll_, events, 256, &timeout, nullptr);
  for (int i = 0; i < count; ++i) receive_on(*static_cast<Connection*>(events[i].data.ptr));
}

int Load::run() {
  connect_all();
  now_ = now_ns();
  const uint64_t begin_ns = now_;
  measure_from_ns_ = begin_ns + static_cast<uint64_t>(options_.warmup * 1e9);
  end_ns_ = measure_from_ns_ + static_cast<uint64_t>(options_.seconds * 1e9);
  double server_cpu = cpu_seconds_of(options_.pid), own_cpu = own_cpu_seconds();
  bool measuring = options_.warmup == 0;
  if (options_.rate > 0) {
    interval_ns_ = static_cast<uint64_t>(1e9 / options_.rate);
    next_due_ns_ = now_;
    for (Connection& connection : connections_) free_.push_back(&connection);
  } else {
    for (Connection& connection : connections_) {
      if (more_to_send()) send_on(connection, now_ns());
    }
  }
  // The server's CPU is read at the end of the time, while the last answers are still on their way.
  double server_cpu_end = -1;
  while (under_way_ > 0 || (options_.rate > 0 && now_ < end_ns_)) {
    if (options_.rate > 0) send_due();
    wait_and_receive();
    now_ = now_ns();
    if (asked_to_end != 0) end_ns_ = std::min(end_ns_, now_);
    if (!measuring && now_ >= measure_from_ns_) {
      measuring = true;
      server_cpu = cpu_seconds_of(options_.pid);
      own_cpu = own_cpu_seconds();
    }
    if (!options_.fill && server_cpu_end < 0 && now_ >= end_ns_) {
      server_cpu_end = cpu_seconds_of(options_.pid);
    }
    if (now_ > end_ns_ + 30000000000u && !options_.fill) fail("no answer for 30 s");
  }
  if (server_cpu_end < 0) server_cpu_end = cpu_seconds_of(options_.pid);
  const double seconds =
      options_.fill ? static_cast<double>(now_ - begin_ns) * 1e-9
                    : static_cast<double>(end_ns_ - std::min(end_ns_, measure_from_ns_)) * 1e-9;
  print(seconds, server_cpu_end - server_cpu, own_cpu_seconds() - own_cpu);
  if (errors_ > 0) std::fprintf(stderr, "load: first wrong answer: %s\n", first_error_.c_str());
  return errors_ == 0 ? 0 : 1;
}

void Load::print(double seconds, double server_cpu, double own_cpu) const {
  const double count = static_cast<double>(measured_);
  const auto us = [this](double q) {
    return static_cast<double>(latencies_.quantile_ns(q)) * 1e-3;
  };
  std::printf(
      "{\"connections\":%d,\"seconds\":%.3f,\"requests\":%llu,\"errors\":%llu,\"rate\":%.1f,"
      "\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,"
      "\"server_cpu_us\":%.3f,\"client_cpu_share\":%.3f,\"seed\":%llu}\n",
      options_.connections, seconds, static_cast<unsigned long long>(measured_),
      static_cast<unsigned long long>(errors_), count / seconds, us(0.5), us(0.99), us(0.999),
      static_cast<double>(latencies_.max_ns()) * 1e-3, count > 0 ? server_cpu * 1e6 / count : 0.0,
      own_cpu / seconds, static_cast<unsigned long long>(options_.seed));
}

Op parse_op(const std::string& name) {
  if (name == "get") return Op::kGet;
  if (name == "put") return Op::kPut;
  if (name == "update") return Op::kUpdate;
  if (name == "static") return Op::kStatic;
  if (name == "batch") return Op::kBatchPut;
  if (name == "transact") return Op::kTransact;
  if (name == "query") return Op::kQuery;
  if (name == "scan") return Op::kScan;
  fail("unknown --op " + name);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&]() -> std::string {
      if (++i >= argc) fail(flag + " needs a value");
      return argv[i];
    };
    if (flag == "--resp")
      options.target.resp = true;
    else if (flag == "--op")
      options.target.op = parse_op(value());
    else if (flag == "--host")
      options.target.host = value();
    else if (flag == "--port")
      options.target.port = std::stoi(value());
    else if (flag == "--table")
      options.target.table = value();
    else if (flag == "--path")
      options.target.path = value();
    else if (flag == "--consistent")
      options.target.consistent_read = true;
    else if (flag == "--page")
      options.target.page = std::stoi(value());
    else if (flag == "--expires")
      options.target.expires = std::stoll(value());
    else if (flag == "--keys")
      options.keys = std::stoull(value());
    else if (flag == "--connections")
      options.connections = std::stoi(value());
    else if (flag == "--seconds")
      options.seconds = std::stod(value());
    else if (flag == "--warmup")
      options.warmup = std::stod(value());
    else if (flag == "--rate")
      options.rate = std::stod(value());
    else if (flag == "--seed")
      options.seed = std::stoull(value());
    else if (flag == "--fill")
      options.fill = true;
    else if (flag == "--pid")
      options.pid = std::stoi(value());
    else {
      std::fputs(kUsage, flag == "--help" ? stdout : stderr);
      std::exit(flag == "--help" ? 0 : 2);
    }
  }
  if (options.target.port == 0) fail("--port is needed");
  if (options.fill && options.target.op != Op::kBatchPut) options.target.op = Op::kPut;
  if (options.target.resp && options.target.op >= Op::kStatic) fail("--op is not one of RESP");
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGTERM, [](int) { asked_to_end = 1; });
  try {
    return Load(parse(argc, argv)).run();
  } catch (const std::exception&) {
    fail("a number was expected");
  }
}
