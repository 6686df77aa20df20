#include "sidecar/command_line.h"

#include <unistd.h>

#include <fstream>

namespace millrace::sidecar {
namespace {

std::string error_of(const std::vector<std::string>& arguments) {
  Result<Invocation> invocation = parse_command_line(arguments);
  return invocation ? "(no error)" : invocation.error().message;
}

TEST(CommandLine, WithoutFlagsItServesWithDefaults) {
  Result<Invocation> invocation = parse_command_line({});
  ASSERT_TRUE(invocation);
  EXPECT_EQ(std::get<ServeCommand>(*invocation).config.listen.text(), "127.0.0.1:8000");
}

TEST(CommandLine, FlagsWinOverTheFile) {
  std::string path = testing::TempDir() + "millrace-flags-" + std::to_string(getpid()) + ".yaml";
  std::ofstream(path) << "listen: 127.0.0.1:1\nadmin: 127.0.0.1:2\ndata: a\n";
  Result<Invocation> invocation =
      parse_command_line({"--config", path, "--data", "b", "--listen=127.0.0.1:3",
                          "--cache-bytes=1MB", "--threads", "2", "--durability", "none"});
  unlink(path.c_str());
  ASSERT_TRUE(invocation) << invocation.error().message;
  const Config& config = std::get<ServeCommand>(*invocation).config;
  EXPECT_EQ(config.data, "b");
  EXPECT_EQ(config.listen.port, 3);
  EXPECT_EQ(config.admin.port, 2);
  EXPECT_EQ(config.cache.bytes, 1u << 20);
  EXPECT_EQ(config.threads, 2u);
  EXPECT_EQ(config.durability, Durability::kNone);
}

TEST(CommandLine, Tail) {
  Result<Invocation> invocation =
      parse_command_line({"tail", "films", "--json", "--from", "123", "--admin", "127.0.0.1:9"});
  ASSERT_TRUE(invocation) << invocation.error().message;
  const TailOptions& options = std::get<TailOptions>(*invocation);
  EXPECT_EQ(options.tables, std::vector<std::string>{"films"});
  EXPECT_TRUE(options.json);
  EXPECT_EQ(options.from, "123");
  EXPECT_EQ(options.admin.port, 9);
}

TEST(CommandLine, CacheFlush) {
  Result<Invocation> invocation = parse_command_line(
      {"cache", "flush", "films", R"({"id":{"S":"a"}})", "--admin", "127.0.0.1:9"});
  ASSERT_TRUE(invocation) << invocation.error().message;
  const CacheCommand& command = std::get<CacheCommand>(*invocation);
  EXPECT_EQ(command.table, "films");
  EXPECT_EQ(command.key, R"({"id":{"S":"a"}})");
  EXPECT_EQ(command.admin.port, 9);
  Result<Invocation> plain = parse_command_line({"cache", "flush"});
  ASSERT_TRUE(plain);
  EXPECT_FALSE(std::get<CacheCommand>(*plain).table);
  EXPECT_EQ(error_of({"cache"}), "cache needs a command: flush or hot");
}

TEST(CommandLine, CacheHot) {
  Result<Invocation> invocation =
      parse_command_line({"cache", "hot", "films", "--limit", "3", "--admin", "127.0.0.1:9"});
  ASSERT_TRUE(invocation) << invocation.error().message;
  const HotKeysCommand& command = std::get<HotKeysCommand>(*invocation);
  EXPECT_EQ(command.table, "films");
  EXPECT_EQ(command.limit, 3u);
  EXPECT_EQ(command.admin.port, 9);
  EXPECT_FALSE(command.json);
  EXPECT_FALSE(command.partitions);
  Result<Invocation> partitions = parse_command_line({"cache", "hot", "--partitions"});
  ASSERT_TRUE(partitions);
  EXPECT_TRUE(std::get<HotKeysCommand>(*partitions).partitions);
}

TEST(CommandLine, Check) {
  Result<Invocation> invocation = parse_command_line({"check", "--data", "d", "--json"});
  ASSERT_TRUE(invocation) << invocation.error().message;
  const CheckOptions& options = std::get<CheckOptions>(*invocation);
  EXPECT_EQ(options.data, "d");
  EXPECT_TRUE(options.json);
  Result<Invocation> plain = parse_command_line({"check"});
  ASSERT_TRUE(plain);
  EXPECT_EQ(std::get<CheckOptions>(*plain).data, "./millrace-data");
}

TEST(CommandLine, BoundsAndWhatIsForTestSuites) {
  Result<Invocation> invocation = parse_command_line(
      {"--memory-bytes", "64MB", "--disk-bytes=1GB", "--in-memory", "--allow-reset",
       "--allow-stream-control", "--region=eu-west-3", "--account", "012345678901"});
  ASSERT_TRUE(invocation) << invocation.error().message;
  const Config& config = std::get<ServeCommand>(*invocation).config;
  EXPECT_EQ(config.memory_bytes, 64u << 20);
  EXPECT_EQ(config.disk_bytes, 1u << 30);
  EXPECT_TRUE(config.in_memory);
  EXPECT_TRUE(config.allow_reset);
  EXPECT_TRUE(config.allow_stream_control);
  EXPECT_EQ(config.region, "eu-west-3");
  EXPECT_EQ(config.account, "012345678901");
}

TEST(CommandLine, AnEmptyValueIsNotTheDefault) {
  const std::string refused =
      ": it has an empty value, as an unset shell variable gives; write one, or leave the flag out";
  for (const std::string flag : {"--config", "--data", "--region", "--account", "--listen",
                                 "--admin", "--cache-bytes", "--threads"}) {
    EXPECT_EQ(error_of({flag, ""}), flag + refused + " (millrace --help tells all)");
    EXPECT_EQ(error_of({flag + "=", "--in-memory"}), flag + refused);
  }
  EXPECT_EQ(error_of({"tail", "films", "--admin", ""}),
            "--admin" + refused + " (millrace --help tells all)");
  // A handler's arguments are its own.
  EXPECT_EQ(error_of({"subscribe", "mail", "--exec", "cat", "--data=", ""}), "(no error)");
}

TEST(CommandLine, AFolderIsNotForWhatIsInMemory) {
  const std::string refused =
      "--data names a folder, but in memory (--in-memory, or in_memory of the configuration) no "
      "file is written; leave one of the two out";
  EXPECT_EQ(error_of({"--in-memory", "--data", "d"}), refused);
  const std::string path =
      testing::TempDir() + "millrace-memory-" + std::to_string(getpid()) + ".yaml";
  std::ofstream(path) << "in_memory: true\n";
  EXPECT_EQ(error_of({"--config", path, "--data", "d"}), refused);
  // The flag wins over a configuration that is otherwise served from a folder.
  std::ofstream(path) << "data: d\n";
  EXPECT_EQ(error_of({"--config", path, "--in-memory"}), "(no error)");
  unlink(path.c_str());
}

TEST(CommandLine, TailOfSeveralTablesByAPattern) {
  auto invocation = parse_command_line({"tail", "films", "people", "--from", "2026-11-25T10:00:00Z",
                                        "--filter", R"( {"eventName": ["INSERT"]} )"});
  ASSERT_TRUE(invocation) << invocation.error().message;
  const TailOptions& options = std::get<TailOptions>(*invocation);
  EXPECT_EQ(options.tables, (std::vector<std::string>{"films", "people"}));
  EXPECT_EQ(options.from, "2026-11-25T10:00:00Z");
  EXPECT_EQ(options.filter, R"({"eventName":["INSERT"]})");
}

TEST(CommandLine, Subscribe) {
  auto invocation = parse_command_line(
      {"subscribe",    "mail",      "--table",    "a", "--table",  "b",
       "--from",       "latest",    "--shards",   "8", "--filter", R"({"eventName":["INSERT"]})",
       "--timeout-ms", "500",       "--attempts", "3", "--failed", "dead",
       "--exec",       "./handler", "--table",    "x"});
  ASSERT_TRUE(invocation) << invocation.error().message;
  const SubscribeOptions& options = std::get<SubscribeOptions>(*invocation);
  EXPECT_EQ(options.name, "mail");
  ASSERT_TRUE(options.creation);
  EXPECT_EQ(options.creation->tables, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(options.creation->from, "latest");
  EXPECT_EQ(options.creation->shards, 8u);
  EXPECT_EQ(options.creation->filter, R"({"eventName":["INSERT"]})");
  EXPECT_EQ(options.timeout_ms, 500);
  EXPECT_EQ(options.attempts_max, 3u);
  EXPECT_EQ(options.failed, "dead");
  EXPECT_EQ(options.handler, (std::vector<std::string>{"./handler", "--table", "x"}));
}

TEST(CommandLine, SubscribeToWhatIsThere) {
  auto invocation = parse_command_line({"subscribe", "mail", "--exec", "cat"});
  ASSERT_TRUE(invocation) << invocation.error().message;
  EXPECT_FALSE(std::get<SubscribeOptions>(*invocation).creation);
  EXPECT_EQ(error_of({"subscribe", "mail"}),
            "subscribe needs a handler: end with --exec PROGRAM [ARGUMENT ...]");
  EXPECT_EQ(error_of({"subscribe", "mail", "--shards", "2", "--exec", "cat"}),
            "--from, --filter and --shards are of a subscription that is created: name its tables "
            "by --table or --all-tables");
  EXPECT_EQ(
      error_of({"subscribe", "mail", "--table", "a", "--filter", "{\"a\":1}", "--exec", "cat"}),
      "--filter: 'a': 1 must stand in a list: [1]");
}

TEST(CommandLine, MistakesAreNamed) {
  EXPECT_EQ(error_of({"--listne", "127.0.0.1:1"}),
            "unknown argument '--listne'; did you mean '--listen'? (millrace --help tells all)");
  EXPECT_EQ(error_of({"cache", "flsh"}),
            "unknown argument 'flsh'; did you mean 'flush'? (millrace --help tells all)");
  EXPECT_EQ(error_of({"cache", "clear"}),
            "The following argument was not expected: clear; known are flush, hot "
            "(millrace --help tells all)");
  EXPECT_EQ(error_of({"cache", "hot", "--limt", "3"}),
            "unknown argument '--limt'; did you mean '--limit'? (millrace --help tells all)");
  EXPECT_EQ(
      error_of({"--listen", "x"}),
      "--listen: 'x' is not an address of the form HOST:PORT; write for example 127.0.0.1:8000");
  EXPECT_EQ(error_of({"--account", "me"}),
            "--account: 'me' is not an account: 12 digits; write for example 123456789012");
  EXPECT_EQ(error_of({"--cache-bytes", "lots"}),
            "--cache-bytes: 'lots' is not a size; write for example 64MB, 512KB, 1GB, or a number "
            "of bytes");
  EXPECT_EQ(error_of({"tail", "films", "--from", "yesterday"}),
            "--from: 'yesterday' is no place to begin; write trim_horizon (all that the log still "
            "holds), "
            "latest (what comes from now on), a time such as 2026-11-25T10:00:00Z, or an LSN");
  EXPECT_EQ(error_of({"--listen", "0.0.0.0:8000"}).substr(0, 38),
            "refusing to listen on 0.0.0.0:8000: re");
  EXPECT_EQ(error_of({"--listen", "0.0.0.0:8000", "--insecure-no-auth"}), "(no error)");
}

TEST(CommandLine, HelpAndVersionAreOnlyText) {
  Result<Invocation> help = parse_command_line({"--help"});
  ASSERT_TRUE(help);
  for (const char* flag :
       {"--config", "--data", "--region", "--account", "--listen", "--admin", "--cache-bytes",
        "--threads", "--durability", "--insecure-no-auth", "--log-format", "--version", "tail"})
    EXPECT_NE(std::get<PrintCommand>(*help).text.find(flag), std::string::npos) << flag;
  Result<Invocation> tail_help = parse_command_line({"tail", "--help"});
  ASSERT_TRUE(tail_help);
  EXPECT_NE(std::get<PrintCommand>(*tail_help).text.find("--no-color"), std::string::npos);
  Result<Invocation> version = parse_command_line({"--version"});
  ASSERT_TRUE(version);
  EXPECT_TRUE(std::get<PrintCommand>(*version).text.starts_with("millrace "));
}

}  // namespace
}  // namespace millrace::sidecar
