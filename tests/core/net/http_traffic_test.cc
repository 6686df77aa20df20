#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "http_client.h"

namespace millrace {
namespace {

/// Answers on another thread, in any order across connections.
class Answerer {
 public:
  explicit Answerer(uint64_t seed) : random_(seed), thread_([this] { run(); }) {}
  ~Answerer() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  void take(HttpReply reply, std::string body) {
    std::lock_guard lock(mutex_);
    waiting_.emplace_back(std::move(reply), std::move(body));
    wake_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!stop_ || !waiting_.empty()) {
      wake_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
      std::vector<std::pair<HttpReply, std::string>> batch;
      batch.swap(waiting_);
      lock.unlock();
      std::shuffle(batch.begin(), batch.end(), random_);
      for (auto& [reply, body] : batch) answer_with(reply, body);
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::pair<HttpReply, std::string>> waiting_;
  bool stop_ = false;
  std::mt19937_64 random_;
  std::thread thread_;
};

TEST_F(HttpServerTest, RandomTrafficIsAnsweredInOrderFromAnyThread) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  {
    Answerer answerer(seed);
    std::atomic<uint64_t> turn{0};
    serve(
        [&](const HttpRequest& request, HttpReply reply) {
          if (turn++ % 3 == 0) return answer_with(reply, request.body);
          answerer.take(std::move(reply), std::string(request.body));
        },
        2);
    std::vector<std::thread> clients;
    for (uint64_t c = 0; c < 6; ++c) {
      clients.emplace_back([&, c] {
        std::mt19937_64 random(seed + c);
        Client client(port());
        for (int round = 0; round < 100; ++round) {
          std::vector<std::string> bodies;
          std::string bytes;
          for (uint64_t n = 1 + random() % 6; n > 0; --n) {
            const uint64_t size = random() % 20 == 0 ? random() % 300000 : random() % 2000;
            bodies.emplace_back(size, static_cast<char>('a' + random() % 26));
            bytes += post(bodies.back());
          }
          const size_t cut = random() % bytes.size();
          std::thread sender([&] {
            client.send(std::string_view(bytes).substr(0, cut));
            client.send(std::string_view(bytes).substr(cut));
          });
          for (const std::string& body : bodies) ASSERT_EQ(client.read().body, body);
          sender.join();
        }
      });
    }
    for (std::thread& client : clients) client.join();
    server_.reset();
  }
}

}  // namespace
}  // namespace millrace
