#include "sidecar/step_thread.h"

#include <chrono>
#include <future>
#include <vector>

#include "sidecar/event_log.h"

namespace millrace::sidecar {
namespace {

TEST(StepThread, StepsWhenWokenAndAgainWhileThereIsMore) {
  int left = 3;
  std::promise<void> done;
  StepThread thread({.name = "test", .idle_ms = 600000}, [&] {
    if (left == 0) return false;
    if (--left == 0) done.set_value();
    return left > 0;
  });
  thread.start();
  thread.wake();
  done.get_future().wait();
  thread.stop();
  EXPECT_EQ(left, 0);
}

TEST(StepThread, NoWakeUpIsLost) {
  std::atomic<int> wanted{0}, seen{0};
  StepThread thread({.name = "test", .idle_ms = 600000}, [&] {
    seen = wanted.load();
    seen.notify_all();
    return false;
  });
  thread.start();
  for (int i = 1; i <= 2000; ++i) {
    wanted = i;
    thread.wake();
    for (int current = seen; current < i; current = seen) seen.wait(current);
  }
  thread.stop();
}

TEST(StepThread, FrequentWakeUpsMakeStepsThatAreApart) {
  using std::chrono::steady_clock;
  constexpr int kApartUs = 2000, kSteps = 10;
  std::vector<steady_clock::time_point> began, ended;
  std::promise<void> done;
  StepThread thread({.name = "test", .idle_ms = 600000, .apart_us = kApartUs}, [&] {
    if (began.size() == kSteps) return false;
    began.push_back(steady_clock::now());
    if (began.size() == kSteps) done.set_value();
    ended.push_back(steady_clock::now());
    return false;
  });
  thread.start();
  std::atomic<bool> waking{true};
  std::thread waker([&] {
    while (waking) thread.wake();
  });
  done.get_future().wait();
  waking = false;
  waker.join();
  thread.stop();
  for (size_t i = 1; i < began.size(); ++i)
    EXPECT_GE(began[i] - ended[i - 1], std::chrono::microseconds(kApartUs)) << i;
}

TEST(StepThread, WhatWaitsIsSteppedWithoutAPause) {
  int left = 1000;
  std::promise<void> done;
  // Were the steps apart, the test would never end.
  StepThread thread({.name = "test", .idle_ms = 600000, .apart_us = 2'000'000'000}, [&] {
    if (--left == 0) done.set_value();
    return left > 0;
  });
  thread.start();
  thread.wake();
  done.get_future().wait();
  thread.stop();
}

TEST(StepThread, StoppedItNeverStepsAgain) {
  std::atomic<int> steps{0};
  StepThread thread({.name = "test", .idle_ms = 1}, [&] {
    ++steps;
    return false;
  });
  thread.start();
  thread.stop();
  int after = steps;
  thread.wake();
  EXPECT_EQ(steps, after);
  thread.stop();  // harmless
}

TEST(StepThread, APauseEndsWhenItIsStopped) {
  std::promise<void> begun;
  StepThread thread({.name = "test", .idle_ms = 600000}, [&] {
    begun.set_value();
    thread.pause(int64_t{3600} * 1'000'000'000);
    return false;
  });
  thread.start();
  thread.wake();
  begun.get_future().wait();
  thread.stop();
}

TEST(EventLog, FieldsAreQuotedWhereNeeded) {
  EXPECT_EQ(event_text(LogFormat::kText, "serving",
                       {{"listen", "127.0.0.1:8000"}, {"note", "a \"b\"\n"}}),
            R"(event=serving listen=127.0.0.1:8000 note="a \"b\"\n")");
  EXPECT_EQ(event_text(LogFormat::kJson, "serving", {{"note", "a \"b\""}}),
            R"("event":"serving","note":"a \"b\"")");
  EXPECT_EQ(event_text(LogFormat::kText, "e", {{"empty", ""}}), R"(event=e empty="")");
}

}  // namespace
}  // namespace millrace::sidecar
