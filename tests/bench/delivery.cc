// How long after the answer to a write its change is in the hands of a reader of another
// connection: a member of a subscription, or with --changes a reader of /v1/changes. Writers send
// PutItem in an open loop; both ends take the time from one clock.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "histogram.h"

namespace {

constexpr char kUsage[] =
    "usage: delivery --port PORT --admin PORT [--changes] [--rate WRITES_A_SECOND] [--seconds S]\n"
    "Writes to the table `bench` with key `id`; prints one JSON object.\n";
constexpr size_t kWriters = 8;
constexpr size_t kKeyDigits = 10;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "delivery: %s\n", what.c_str());
  std::exit(1);
}

int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

/// One kept connection that asks and waits.
class Connection {
 public:
  explicit Connection(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      fail("no connection to port " + std::to_string(port));
    int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void send_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) fail("a connection was closed");
      bytes.remove_prefix(static_cast<size_t>(size));
    }
  }
  void receive(std::string& out) {
    char piece[64 << 10];
    const ssize_t size = ::recv(fd_, piece, sizeof piece, 0);
    if (size <= 0) fail("a connection was closed");
    out.append(piece, static_cast<size_t>(size));
  }

  /// The body of the answer to a POST.
  std::string post(const std::string& path, const std::string& headers, const std::string& body) {
    send_all("POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
             "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    std::string answer;
    size_t head = std::string::npos;
    while ((head = answer.find("\r\n\r\n")) == std::string::npos) receive(answer);
    head += 4;
    const char* length = strcasestr(answer.c_str(), "content-length:");
    if (answer.compare(9, 3, "200") != 0 || length == nullptr) fail(path + ": " + answer);
    const size_t size = head + std::strtoull(length + 15, nullptr, 10);
    while (answer.size() < size) receive(answer);
    return answer.substr(head);
  }

 private:
  const int fd_;
};

struct Run {
  int port = 0, admin = 0;
  bool changes = false;
  double rate = 2000, seconds = 5;
  std::vector<std::atomic<int64_t>> answered, received;  // by key; 0: not yet
  std::atomic<bool> ended{false};
};

void write_items(Run& run, size_t writer, int64_t begin_ns) {
  Connection connection(run.port);
  const std::string headers =
      "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\n"
      "X-Amz-Date: 20261122T120000Z\r\nAuthorization: AWS4-HMAC-SHA256 "
      "Credential=AKIDEXAMPLE/20261122/us-east-1/dynamodb/aws4_request, "
      "SignedHeaders=host;x-amz-date;x-amz-target, Signature=" +
      std::string(64, '0') + "\r\n";
  // Differs from run to run: a write that changes nothing has no record.
  const std::string value = std::to_string(begin_ns) + std::string(80, 'v');
  for (size_t i = writer; i < run.answered.size(); i += kWriters) {
    const auto due_ns = begin_ns + static_cast<int64_t>(static_cast<double>(i) * 1e9 / run.rate);
    const int64_t wait_ns = due_ns - now_ns();
    if (wait_ns > 0) {  // till the write is due
      const timespec wait{wait_ns / 1'000'000'000, wait_ns % 1'000'000'000};
      nanosleep(&wait, nullptr);
    }
    char key[32];
    std::snprintf(key, sizeof key, "%0*zu", static_cast<int>(kKeyDigits), i);
    connection.post("/", headers,
                    std::string("{\"TableName\":\"bench\",\"Item\":{\"id\":{\"S\":\"") + key +
                        "\"},\"value\":{\"S\":\"" + value + "\"}}}");
    run.answered[i] = now_ns();
  }
}

/// Notes the keys of whole lines in `text`, which all came now; returns how far it got.
size_t note(Run& run, std::string_view text) {
  constexpr std::string_view kKey = "\"keys\":{\"id\":{\"S\":\"";
  const int64_t now = now_ns();
  const size_t whole = text.rfind('\n') + 1;
  for (size_t at = 0; (at = text.find(kKey, at)) != text.npos && at < whole;) {
    at += kKey.size();
    const size_t key = std::strtoull(std::string(text.substr(at, kKeyDigits)).c_str(), nullptr, 10);
    if (key < run.received.size() && run.received[key] == 0) run.received[key] = now;
  }
  return whole;
}

void read_changes(Run& run, std::atomic<bool>& begun) {
  Connection connection(run.admin);
  connection.send_all(
      "GET /v1/changes?table=bench&from=latest HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::string text;
  connection.receive(text);
  begun = true;
  while (!run.ended) {
    text.erase(0, note(run, text));
    connection.receive(text);
  }
}

std::string text_after(std::string_view text, std::string_view name) {
  const size_t at = text.find(name);
  if (at == text.npos) fail("no " + std::string(name) + " in " + std::string(text));
  const size_t begin = at + name.size();
  return std::string(text.substr(begin, text.find_first_of("\",}", begin) - begin));
}

/// A member that acknowledges beside its reading, as one does that has much to do.
void read_subscription(Run& run, std::atomic<bool>& begun) {
  Connection connection(run.admin);
  connection.post("/v1/subscriptions/create", "",
                  R"({"subscription":"bench","tables":["bench"],"from":"latest"})");
  const std::string session = text_after(
      connection.post("/v1/subscriptions/join", "", R"({"subscription":"bench","member":"bench"})"),
      "\"session\":\"");
  const std::string who = R"({"subscription":"bench","session":")" + session + "\"";
  std::mutex mutex;
  std::map<std::string, std::string> done;  // `"shard":0,"epoch":3` to `,"lsn":17`
  std::thread acknowledging([&] {
    Connection own(run.admin);
    while (!run.ended) {
      const timespec pause{0, 100'000'000};  // a handler's acknowledgements are ten a second
      nanosleep(&pause, nullptr);
      std::string list;
      {
        std::lock_guard lock(mutex);
        for (const auto& [lease, lsn] : done)
          list += (list.empty() ? "{" : ",{") + lease + lsn + "}";
        done.clear();
      }
      own.post("/v1/subscriptions/acknowledge", "", who + ",\"acknowledged\":[" + list + "]}");
    }
  });
  begun = true;
  for (std::string received = "0"; !run.ended;) {
    const std::string answer =
        connection.post("/v1/subscriptions/poll", "",
                        who + ",\"wait_ms\":200,\"records\":1000,\"received\":" + received + "}");
    note(run, answer);
    received = text_after(answer, "\"delivery\":");
    std::lock_guard lock(mutex);
    for (size_t at = answer.find('\n') + 1; at < answer.size(); at = answer.find('\n', at) + 1) {
      const size_t lsn = answer.find(",\"lsn\":", at);
      done[answer.substr(at + 1, lsn - at - 1)] =
          answer.substr(lsn, answer.find(',', lsn + 1) - lsn);
    }
  }
  acknowledging.join();
  connection.post("/v1/subscriptions/leave", "", who + "}");
  connection.post("/v1/subscriptions/delete", "", R"({"subscription":"bench"})");
}

void parse(int argc, char** argv, Run& run) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--changes") {
      run.changes = true;
      continue;
    }
    const double value = i + 1 < argc ? std::atof(argv[++i]) : 0;
    if (value <= 0) fail(kUsage);
    if (flag == "--port") {
      run.port = static_cast<int>(value);
    } else if (flag == "--admin") {
      run.admin = static_cast<int>(value);
    } else if (flag == "--rate") {
      run.rate = value;
    } else if (flag == "--seconds") {
      run.seconds = value;
    } else {
      fail(kUsage);
    }
  }
  if (run.port == 0 || run.admin == 0) fail(kUsage);
}

}  // namespace

int main(int argc, char** argv) {
  Run run;
  parse(argc, argv, run);
  const auto count = static_cast<size_t>(run.rate * run.seconds);
  run.answered = std::vector<std::atomic<int64_t>>(count);
  run.received = std::vector<std::atomic<int64_t>>(count);
  std::atomic<bool> begun{false};
  std::thread reader(run.changes ? read_changes : read_subscription, std::ref(run),
                     std::ref(begun));
  while (!begun) std::this_thread::yield();
  std::vector<std::thread> writers;
  const int64_t begin_ns = now_ns() + 100'000'000;
  for (size_t i = 0; i < kWriters; ++i)
    writers.emplace_back(write_items, std::ref(run), i, begin_ns);
  for (std::thread& writer : writers) writer.join();
  const int64_t deadline_ns = now_ns() + 10'000'000'000;
  size_t missing = count;
  while (missing > 0 && now_ns() < deadline_ns) {
    const timespec pause{0, 10'000'000};  // between two looks
    nanosleep(&pause, nullptr);
    missing = 0;
    for (const auto& received : run.received) missing += received == 0;
  }
  run.ended = true;
  if (missing > 0) fail(std::to_string(missing) + " changes were not delivered");
  Histogram latency;
  for (size_t i = 0; i < count; ++i) {
    const int64_t ns = run.received[i] - run.answered[i];
    latency.add(ns > 0 ? static_cast<uint64_t>(ns) : 0);  // it may be there before the answer
  }
  std::printf("{\"writes\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n", count,
              static_cast<double>(latency.quantile_ns(0.5)) * 1e-3,
              static_cast<double>(latency.quantile_ns(0.99)) * 1e-3,
              static_cast<double>(latency.max_ns()) * 1e-3);
  std::fflush(stdout);
  if (run.changes) std::_Exit(0);  // the reader waits for what does not come
  reader.join();
}
