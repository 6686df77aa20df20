#include "sidecar/handler_process.h"

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

namespace millrace::sidecar {
namespace {

using Kind = Verdict::Kind;
constexpr int64_t kLongMs = 60'000;

TEST(ParseVerdict, KnowsThreeWords) {
  const struct {
    std::string_view line;
    Kind kind;
    std::string_view reason;
  } cases[] = {
      {"ok", Kind::kOk, ""},
      {"ok\r", Kind::kOk, ""},
      {"retry", Kind::kRetry, ""},
      {"fail", Kind::kFailed, ""},
      {"fail no such film", Kind::kFailed, "no such film"},
      {"fail ", Kind::kFailed, ""},
  };
  for (const auto& each : cases) {
    const Verdict verdict = parse_verdict(each.line);
    EXPECT_EQ(verdict.kind, each.kind) << each.line;
    EXPECT_EQ(verdict.reason, each.reason) << each.line;
  }
  for (const char* line : {"", "OK", "okay", " ok", "failed", "retry later", "\r"}) {
    const Verdict verdict = parse_verdict(line);
    EXPECT_EQ(verdict.kind, Kind::kBroken) << line;
    EXPECT_NE(verdict.reason.find("none of ok, retry and fail REASON"), std::string::npos);
  }
  EXPECT_LT(parse_verdict(std::string(60'000, 'x')).reason.size(), 200u);
}

class HandlerProcessTest : public testing::Test {
 protected:
  HandlerProcessTest() {
    signal(SIGPIPE, SIG_IGN);
    std::filesystem::create_directory(folder_);
  }
  ~HandlerProcessTest() override { std::filesystem::remove_all(folder_); }

  /// A handler in the shell's language; $1 is a file of the test's own.
  HandlerProcess& start(const std::string& script) {
    handler_.emplace(std::vector<std::string>{"sh", "-c", script, "handler", path("file")}, clock_);
    const Status started = handler_->start();
    EXPECT_TRUE(started) << started.error().message;
    EXPECT_TRUE(handler_->running());
    return *handler_;
  }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string text_of_file() const {
    std::ostringstream text;
    text << std::ifstream(path("file")).rdbuf();
    return text.str();
  }
  void expect_broken(const std::string& script, const std::string& reason, int64_t timeout_ms) {
    HandlerProcess& handler = start(script);
    const Verdict verdict = handler.handle("{}\n", timeout_ms);
    EXPECT_EQ(verdict.kind, Kind::kBroken) << script;
    EXPECT_NE(verdict.reason.find(reason), std::string::npos) << script << ": " << verdict.reason;
    EXPECT_FALSE(handler.running()) << script;
  }

  const std::string folder_ = testing::TempDir() + "handler-" + std::to_string(::getpid());
  const SystemClock clock_;
  std::optional<HandlerProcess> handler_;
};

TEST_F(HandlerProcessTest, GetsOneEventALineAndSaysWhatBecameOfIt) {
  HandlerProcess& handler = start(
      "while read -r line; do echo \"$line\" >> \"$1\"; "
      "case $line in good|x*) echo ok;; later) echo retry;; *) echo fail $line;; esac; done");
  EXPECT_EQ(handler.handle("good\n", kLongMs).kind, Kind::kOk);
  EXPECT_EQ(handler.handle("later\n", kLongMs).kind, Kind::kRetry);
  const Verdict failed = handler.handle("bad\n", kLongMs);
  EXPECT_EQ(failed.kind, Kind::kFailed);
  EXPECT_EQ(failed.reason, "bad");
  // More than a pipe holds.
  EXPECT_EQ(handler.handle(std::string(200'000, 'x') + "\n", kLongMs).kind, Kind::kOk);
  EXPECT_TRUE(handler.running());
  EXPECT_EQ(text_of_file(), "good\nlater\nbad\n" + std::string(200'000, 'x') + "\n");
}

TEST_F(HandlerProcessTest, OneThatBreaksIsGoneAndItsReasonIsTold) {
  expect_broken("exit 3", "exited with status 3", kLongMs);
  expect_broken("read -r line; exit 3", "exited with status 3", kLongMs);
  expect_broken("read -r line; kill -KILL $$", "killed by signal", kLongMs);
  expect_broken("read -r line; exec >&-; exec sleep 1000", "closed its input or output", kLongMs);
  expect_broken("read -r line; echo perhaps; exec sleep 1000", "it said 'perhaps'", kLongMs);
  expect_broken("read -r line; exec sleep 1000", "no verdict in time", 50);
  expect_broken("read -r line; exec yes | tr -d '\\n'", "longer than 64 KB", kLongMs);
  HandlerProcess& reads_nothing = start("exec sleep 1000");
  EXPECT_EQ(reads_nothing.handle(std::string(1 << 20, 'x') + "\n", 50).reason,
            "it did not read the event in time");
}

TEST_F(HandlerProcessTest, WhatItSaysUnaskedIsNoAnswerToTheNextEvent) {
  HandlerProcess& handler = start("read -r line; printf 'ok\\nok\\n'; exec sleep 1000");
  EXPECT_EQ(handler.handle("{}\n", kLongMs).kind, Kind::kOk);
  const Verdict verdict = handler.handle("{}\n", kLongMs);
  EXPECT_EQ(verdict.kind, Kind::kBroken);
  EXPECT_EQ(verdict.reason, "it said more than one line for an event");
}

TEST_F(HandlerProcessTest, IsStartedAgain) {
  HandlerProcess& handler = start("read -r line; echo ok");
  EXPECT_EQ(handler.handle("{}\n", kLongMs).kind, Kind::kOk);
  EXPECT_EQ(handler.handle("{}\n", kLongMs).kind, Kind::kBroken);
  ASSERT_TRUE(handler.start());
  EXPECT_EQ(handler.handle("{}\n", kLongMs).kind, Kind::kOk);
}

TEST_F(HandlerProcessTest, IsKilledWithWhatItHasStarted) {
  expect_broken("sleep 1000 & echo $! > \"$1\"; read -r line; echo nonsense; wait", "nonsense",
                kLongMs);
  const std::string pid = text_of_file().substr(0, text_of_file().find('\n'));
  ASSERT_FALSE(pid.empty());
  // Gone, or dead and not yet taken notice of by its new parent.
  const auto alive = [&] {
    std::ifstream stat("/proc/" + pid + "/stat");
    std::string number, name, state;
    return stat >> number >> name >> state && state != "Z";
  };
  for (int i = 0; i < 10'000 && alive(); ++i)  // looked at until so
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(alive());
}

TEST_F(HandlerProcessTest, MayEndByItselfWhenItIsStopped) {
  HandlerProcess& handler = start("while read -r line; do echo ok; done; echo end > \"$1\"");
  EXPECT_EQ(handler.handle("{}\n", kLongMs).kind, Kind::kOk);
  handler.stop(kLongMs);
  EXPECT_FALSE(handler.running());
  EXPECT_EQ(text_of_file(), "end\n");
  handler.stop(kLongMs);  // harmless
}

TEST_F(HandlerProcessTest, OneThatDoesNotEndIsKilled) {
  HandlerProcess& handler = start("exec sleep 1000");
  handler.stop(10);
  EXPECT_FALSE(handler.running());
}

TEST_F(HandlerProcessTest, AProgramThatIsNotThereIsTold) {
  HandlerProcess handler({path("nobody")}, clock_);
  const Status started = handler.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kConfig);
  EXPECT_NE(started.error().message.find("nobody"), std::string::npos);
  EXPECT_FALSE(handler.running());
}

}  // namespace
}  // namespace millrace::sidecar
