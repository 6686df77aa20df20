// Concurrent clients against the real binary, which is killed and started again in between; their
// histories must be linearizable. What a checker that finds nothing would prove is shown too: in
// each run wrong answers are planted in what was recorded, and it must find every one.

#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <thread>

#include "answers.h"
#include "checker.h"
#include "planted.h"
#include "server.h"

namespace {

using namespace millrace::linearizability;

constexpr char kUsage[] =
    "usage: millrace_linearizability --binary MILLRACE [--rounds N] [--clients N] [--groups N] "
    "[--seed N]\n"
    "                                [--lossy LIBRARY] [--durability flush|none]\n"
    "Each round is load, then kill -9 or SIGTERM, then a start. --lossy: a kill loses what was "
    "not\n"
    "flushed.\n";

// Rounds of one history: then all clients come to rest, it is checked, and the next begins with
// groups of its own.
constexpr int kRoundsOfHistory = 6;
constexpr int kPlantsOfKind = 3;
// On a machine that is slow for a while too many requests of a group are under way at once for the
// search; more histories than one in so many must not be.
constexpr size_t kUndecidedOneIn = 10;

struct Options {
  std::string binary, lossy;
  std::string durability = "flush";
  int rounds = 18;
  int clients = 12;
  int groups = 6;
  uint64_t seed = std::random_device{}();
};

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// One client: sends until it is told to stop or its connection ends, and keeps what happened.
class Client {
 public:
  Client(int port, Workload workload, LastSeen& last_seen)
      : port_(port), workload_(std::move(workload)), last_seen_(last_seen) {}

  void run(const std::atomic<bool>& stop) {
    Connection connection(port_);
    bool may_hang_up = true;
    abandoned_.reset();  // ended with the node
    while (!stop || again_) {
      const bool repeats = again_.has_value();
      Request request = repeats ? *std::move(again_) : workload_.next();
      again_.reset();
      const int64_t sent_ns = now_ns();
      if (!repeats) {
        for (Operation& one : request.operations) one.call_ns = sent_ns;
      }
      if (!connection.send(request.target, request.body)) return lose(std::move(request));
      // A client that has waited for long enough hangs up, and does not know what came of it.
      if (may_hang_up && workload_.random()() % 500 == 0) {
        may_hang_up = false;
        connection.close();
        if (request.has_token) abandoned_ = request;
        lose(std::move(request));
        continue;
      }
      const auto answer = connection.receive();
      if (!answer) {
        if (connection.timed_out()) wrong = "no answer within 30 s: " + request.body;
        return lose(std::move(request));
      }
      if (!take(*answer, std::move(request), sent_ns, repeats)) return;
    }
  }

  /// The node has ended: what was not answered has happened by now, or never will.
  void settle(int64_t time_ns) {
    for (; settled_ < history.size(); ++settled_) {
      if (history[settled_].return_ns == kNever) history[settled_].return_ns = time_ns;
    }
  }

  History history;
  std::string wrong;  // what no client may see; empty: nothing
  uint64_t shed = 0, repeated = 0;

 private:
  /// False if the node is going down or the answer is wrong.
  bool take(const Connection::Answer& answer, Request request, int64_t sent_ns, bool repeats) {
    const int64_t time_ns = now_ns();
    switch (take_answer(answer, request, last_seen_, wrong)) {
      case Reading::kShed:
        ++shed;
        // It may have happened when it was sent before.
        if (repeats) again_ = std::move(request);
        return true;
      case Reading::kAgain:
        again_ = std::move(request);
        return true;
      case Reading::kUnknown:
        lose(std::move(request));
        return false;
      case Reading::kWrong:
        lose(std::move(request));
        return false;
      case Reading::kTold:
        break;
    }
    // A refusal tells of what was sent last, and leaves no token: what the client hung up on may
    // happen after it.
    const bool refused = request.operations.front().outcome == Outcome::kRefused;
    for (Operation& one : request.operations) {
      if (refused) one.call_ns = sent_ns;
      one.return_ns = time_ns;
      history.push_back(std::move(one));
    }
    if (abandoned_ && refused) {
      for (Operation& one : abandoned_->operations) one.call_ns = sent_ns;
      keep_unknown(*std::move(abandoned_));
    }
    abandoned_.reset();
    return true;
  }

  void lose(Request request) {
    // With a token it is sent again, also after a restart, and happens once at most.
    if (request.has_token && wrong.empty()) {
      ++repeated;
      again_ = std::move(request);
      return;
    }
    keep_unknown(std::move(request));
  }

  void keep_unknown(Request request) {
    for (Operation& one : request.operations) {
      one.outcome = Outcome::kUnknown;
      // Without an answer a read told nothing.
      const bool writes = std::any_of(one.steps.begin(), one.steps.end(), [](const Step& step) {
        return step.effect != Effect::kNone;
      });
      if (writes) history.push_back(std::move(one));
    }
  }

  const int port_;
  Workload workload_;
  LastSeen& last_seen_;
  std::optional<Request> again_;
  std::optional<Request> abandoned_;  // hung up on and sent again, while it may be on its way
  size_t settled_ = 0;
};

class Run {
 public:
  Run(const Options& options, const std::string& folder)
      : options_(options), random_(options.seed), server_(options.binary, folder, options.lossy) {}

  bool play() {
    if (!start()) return false;
    for (const std::string& definition : table_definitions()) {
      Connection connection(server_.port());
      connection.send("CreateTable", definition);
      const auto answer = connection.receive();
      if (!answer || answer->status != 200) return fail("no table: " + definition);
    }
    if (!wait_for_tables()) return false;
    // So that the tables are on disk whatever the durability.
    if (!server_.end(SIGTERM)) return fail("the node did not end as it should");
    if (!start()) return false;
    for (int done = 0; done < options_.rounds; done += kRoundsOfHistory) {
      if (!play_history(std::min(kRoundsOfHistory, options_.rounds - done))) return false;
    }
    if (undecided_ * kUndecidedOneIn > checked_) return fail("too many histories cannot be told");
    std::printf(
        "%d rounds, %zu operations of %d clients (%zu refused, %zu without an answer, %zu "
        "transactions sent again, %zu shed), linearizable but for %zu of %zu histories that have "
        "too "
        "many orders to tell; %zu wrong answers planted, all found\n",
        options_.rounds, operations_, options_.clients, refused_, unknown_, repeated_, shed_,
        undecided_, checked_, planted_);
    return true;
  }

 private:
  static bool fail(const std::string& why) {
    std::printf("NOT GOOD: %s\n", why.c_str());
    return false;
  }

  bool start() {
    std::vector<std::string> flags{"--threads", std::to_string(1 + random_() % 4), "--durability",
                                   options_.durability};
    constexpr const char* kCaches[] = {"0", "16KB", "64MB"};
    flags.insert(flags.end(), {"--cache-bytes", kCaches[random_() % 3]});
    if (random_() % 2 == 0) flags.insert(flags.end(), {"--memory-bytes", "16MB"});
    server_.launch(flags);
    if (!server_.wait_until_ready()) return fail("the node does not start; its log tells why");
    return true;
  }

  bool wait_for_tables() {
    for (int turn = 0; turn < 1000; ++turn) {
      size_t active = 0;
      for (const std::string_view table : {kTable, kOtherTable}) {
        Connection connection(server_.port());
        connection.send("DescribeTable", "{\"TableName\":\"" + std::string(table) + "\"}");
        const auto answer = connection.receive();
        if (answer && answer->body.find("\"TableStatus\":\"ACTIVE\"") != std::string::npos)
          ++active;
      }
      if (active == 2) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));  // between two looks
    }
    return fail("the tables do not become active");
  }

  bool play_history(int rounds) {
    LastSeen last_seen(options_.groups);
    const std::string prefix = "h" + std::to_string(histories_++) + "-";
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < options_.clients; ++i) {
      clients.push_back(std::make_unique<Client>(
          server_.port(), Workload(i, options_.groups, prefix, last_seen, random_()), last_seen));
    }
    for (int round = 1; round <= rounds; ++round) {
      if (!play_round(clients, round == rounds)) return false;
    }
    return judge(clients);
  }

  bool play_round(std::vector<std::unique_ptr<Client>>& clients, bool last) {
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (auto& client : clients) {
      threads.emplace_back([&stop, one = client.get()] { one->run(stop); });
    }
    // The clients run this long before the kill; nothing is awaited.
    std::this_thread::sleep_for(std::chrono::milliseconds(50 + random_() % 600));
    bool good = true;
    if (last) stop = true;
    const bool gently = random_() % 4 == 0;
    if (!last) good = server_.end(gently ? SIGTERM : SIGKILL);
    for (std::thread& thread : threads) thread.join();
    // At the end of a history the node goes on, and so may what a client did not wait for.
    for (auto& client : clients) client->settle(last ? kNever : now_ns());
    for (const auto& client : clients) {
      if (!client->wrong.empty()) return fail(client->wrong);
    }
    if (!good) return fail("the node did not end as it should");
    if (last) return true;
    if (random_() % 4 == 0) {
      server_.launch({"--durability", options_.durability});
      // The kill falls somewhere into the start.
      std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 80));
      server_.end(SIGKILL);
    }
    return start();
  }

  bool judge(std::vector<std::unique_ptr<Client>>& clients) {
    std::vector<History> groups(static_cast<size_t>(options_.groups));
    for (auto& client : clients) {
      shed_ += client->shed;
      repeated_ += client->repeated;
      for (Operation& one : client->history) {
        ++operations_;
        if (one.outcome == Outcome::kRefused) ++refused_;
        if (one.outcome == Outcome::kUnknown) ++unknown_;
        groups[static_cast<size_t>(one.group)].push_back(std::move(one));
      }
    }
    for (History& history : groups) {
      std::sort(history.begin(), history.end(),
                [](const Operation& a, const Operation& b) { return a.call_ns < b.call_ns; });
      const Verdict verdict = check(history);
      ++checked_;
      undecided_ += verdict.given_up;
      if (!verdict.linearizable && !verdict.given_up) return fail(verdict.why);
    }
    return find_planted(groups);
  }

  bool find_planted(const std::vector<History>& groups) {
    for (const Plant kind : kPlants) {
      int planted = 0;
      for (int turn = 0; turn < 100 && planted < kPlantsOfKind; ++turn) {
        const auto spoilt = with_planted(kind, groups[random_() % groups.size()], random_);
        if (!spoilt) continue;
        const Verdict verdict = check(*spoilt);
        if (verdict.given_up) continue;
        ++planted;
        if (verdict.linearizable) {
          return fail("a planted " + std::string(name_of(kind)) + " was not found");
        }
      }
      if (planted == 0) return fail("no place to plant a " + std::string(name_of(kind)));
      planted_ += static_cast<size_t>(planted);
    }
    return true;
  }

  const Options options_;
  std::mt19937_64 random_;
  Server server_;
  int histories_ = 0;
  size_t operations_ = 0, refused_ = 0, unknown_ = 0, repeated_ = 0, shed_ = 0, planted_ = 0;
  size_t checked_ = 0, undecided_ = 0;  // histories of groups
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (flag == "--binary") {
      options.binary = value;
    } else if (flag == "--lossy") {
      options.lossy = value;
    } else if (flag == "--durability") {
      options.durability = value;
    } else if (flag == "--rounds") {
      options.rounds = std::atoi(value);
    } else if (flag == "--clients") {
      options.clients = std::atoi(value);
    } else if (flag == "--groups") {
      options.groups = std::atoi(value);
    } else if (flag == "--seed") {
      options.seed = std::strtoull(value, nullptr, 10);
    } else {
      options.binary.clear();
      break;
    }
  }
  if (options.binary.empty() || options.rounds < 1 || options.clients < 1 || options.clients > 60 ||
      options.groups < 1) {
    std::fputs(kUsage, stderr);
    std::exit(2);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  // It fixes what is sent and when the kill comes, not how threads interleave.
  std::printf("--seed %llu\n", static_cast<unsigned long long>(options.seed));
  std::fflush(stdout);
  std::string folder = (std::filesystem::temp_directory_path() / "linearizability-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) {
    std::perror(folder.c_str());
    return 1;
  }
  if (!Run(options, folder).play()) {
    std::printf("the node's folder: %s\n", folder.c_str());
    return 1;
  }
  std::filesystem::remove_all(folder);
  return 0;
}
