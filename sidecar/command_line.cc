#include "sidecar/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "sidecar/reader_commands.h"

namespace millrace::sidecar {
namespace {

constexpr const char* kVersion = "millrace " MILLRACE_VERSION;

/// What was given on the command line, as text: it is read after the file, so that it wins.
struct ServeFlags {
  std::string config, data, region, account, listen, admin, cache_bytes, memory_bytes, disk_bytes,
      threads, durability, log_format;
  bool insecure_no_auth = false, in_memory = false, allow_reset = false,
       allow_stream_control = false;
};

void add_serve_flags(CLI::App& app, ServeFlags& flags) {
  app.add_option("--config", flags.config, "YAML configuration; flags win over it")
      ->type_name("FILE");
  app.add_option("--data", flags.data, "folder of the data (./millrace-data)")->type_name("DIR");
  app.add_option("--region", flags.region,
                 "that ARNs name; a data folder keeps what it was created with (us-east-1)")
      ->type_name("REGION");
  app.add_option("--account", flags.account, "the same of the account (000000000000)")
      ->type_name("DIGITS");
  app.add_flag("--in-memory", flags.in_memory,
               "write no file: everything is gone with the process; for test suites");
  app.add_flag("--allow-reset", flags.allow_reset,
               "POST /reset on the administrative port removes all tables; for test suites");
  app.add_flag("--allow-stream-control", flags.allow_stream_control,
               "POST /v1/streams/... and /v1/clock/advance on the administrative port split, merge "
               "and trim shards and set the clock ahead; for test suites");
  app.add_option("--listen", flags.listen, "where to serve the DynamoDB API (127.0.0.1:8000)")
      ->type_name("HOST:PORT");
  app.add_option("--admin", flags.admin,
                 "where to serve /livez, /readyz, /metrics and the changes (127.0.0.1:8001)")
      ->type_name("HOST:PORT");
  app.add_option("--cache-bytes", flags.cache_bytes, "limit of the item cache; 0: none (64MB)")
      ->type_name("SIZE");
  app.add_option("--memory-bytes", flags.memory_bytes,
                 "limit of requests under way, waiting writes and memory tables (256MB)")
      ->type_name("SIZE");
  app.add_option("--disk-bytes", flags.disk_bytes,
                 "limit of the data folder; near it writes are throttled; 0: what the disk has (0)")
      ->type_name("SIZE");
  app.add_option("--threads", flags.threads,
                 "network threads (the CPUs available to the process, at most 4)")
      ->type_name("N");
  app.add_option("--durability", flags.durability,
                 "flush: nothing is answered before it is on disk; none: a crash may lose answered "
                 "writes (flush)")
      ->type_name("flush|none");
  app.add_flag("--insecure-no-auth", flags.insecure_no_auth,
               "allow addresses that other machines reach, without authentication");
  app.add_option("--log-format", flags.log_format, "form of the log lines (text)")
      ->type_name("text|json");
}

Result<Config> effective_config(const ServeFlags& flags) {
  Config config;
  if (!flags.config.empty()) {
    ASSIGN_OR_RETURN(config, read_config(flags.config));
  }
  RETURN_IF_ERROR(apply_flag(flags.listen, "--listen", parse_address, config.listen));
  RETURN_IF_ERROR(apply_flag(flags.admin, "--admin", parse_address, config.admin));
  RETURN_IF_ERROR(apply_flag(flags.region, "--region", parse_region, config.region));
  RETURN_IF_ERROR(apply_flag(flags.account, "--account", parse_account, config.account));
  RETURN_IF_ERROR(apply_flag(flags.cache_bytes, "--cache-bytes", parse_size, config.cache.bytes));
  RETURN_IF_ERROR(
      apply_flag(flags.memory_bytes, "--memory-bytes", parse_memory, config.memory_bytes));
  RETURN_IF_ERROR(apply_flag(flags.disk_bytes, "--disk-bytes", parse_disk, config.disk_bytes));
  RETURN_IF_ERROR(apply_flag(flags.threads, "--threads", parse_threads, config.threads));
  RETURN_IF_ERROR(
      apply_flag(flags.durability, "--durability", parse_durability, config.durability));
  RETURN_IF_ERROR(
      apply_flag(flags.log_format, "--log-format", parse_log_format, config.log_format));
  if (flags.insecure_no_auth) config.insecure_no_auth = true;
  if (flags.in_memory) config.in_memory = true;
  if (!flags.data.empty()) {
    // Who names a folder expects to find the data there again.
    if (config.in_memory) {
      return make_error(ErrorCode::kConfig,
                        "--data names a folder, but in memory (--in-memory, or in_memory of the "
                        "configuration) no file is written; leave one of the two out");
    }
    config.data = flags.data;
  }
  if (flags.allow_reset) config.allow_reset = true;
  if (flags.allow_stream_control) config.allow_stream_control = true;
  RETURN_IF_ERROR(check_config(config));
  return config;
}

CLI::App* add_check(CLI::App& app, CheckOptions& options) {
  CLI::App* check = app.add_subcommand(
      "check", "say what is wrong with a data folder that is not in use; changes nothing");
  check->add_option("--data", options.data, "folder of the data (./millrace-data)")
      ->type_name("DIR");
  check->add_flag("--json", options.json, "one object of JSON, for programs");
  return check;
}

/// `cache` and what it is asked to do.
struct CacheCommands {
  CLI::App* cache = nullptr;
  CLI::App* flush = nullptr;
  CLI::App* hot = nullptr;
  CacheCommand flush_command;
  HotKeysCommand hot_command;
  std::string admin;

  void add_to(CLI::App& app);
  Result<Invocation> invocation();
};

void CacheCommands::add_to(CLI::App& app) {
  cache = app.add_subcommand("cache", "look after a running sidecar's cache");
  // None is our error: CLI11's would hide which word was mistaken for a command.
  cache->require_subcommand(0, 1);
  flush = cache->add_subcommand("flush", "drop what is cached: all, of a table, one item");
  flush->add_option("TABLE", flush_command.table, "the table's name; none: all tables");
  flush->add_option("KEY", flush_command.key,
                    "the item's key as DynamoDB's JSON, {\"id\":{\"S\":\"a\"}}");
  hot = cache->add_subcommand("hot", "show the keys or partitions that are asked for most");
  hot->add_option("TABLE", hot_command.table, "the table's name; none: all tables");
  hot->add_option("--limit", hot_command.limit, "how many, at most 1000 (10)")->type_name("N");
  hot->add_flag("--partitions", hot_command.partitions,
                "partitions of tables and indexes, Query included, instead of items");
  hot->add_flag("--json", hot_command.json, "one object of JSON, for programs");
  for (CLI::App* command : {flush, hot}) {
    command->add_option("--admin", admin, "the sidecar's administrative address (127.0.0.1:8001)")
        ->type_name("HOST:PORT");
  }
}

Result<Invocation> CacheCommands::invocation() {
  RETURN_IF_ERROR(apply_flag(admin, "--admin", parse_address, flush_command.admin));
  hot_command.admin = flush_command.admin;
  if (hot->parsed()) return Invocation(std::move(hot_command));
  if (flush->parsed()) return Invocation(std::move(flush_command));
  return make_error(ErrorCode::kConfig, "cache needs a command: flush or hot");
}

/// CLI11 says that it does not know a flag or a command; this says which one was meant.
std::string unknown_argument_message(const CLI::App& app, const std::string& message,
                                     const std::vector<std::string>& arguments) {
  if (const auto given = app.get_subcommands(); !given.empty())
    return unknown_argument_message(*given.back(), message, arguments);
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  std::string commands;
  for (const CLI::App* command : app.get_subcommands({})) {
    known.push_back(command->get_name());
    commands += (commands.empty() ? "" : ", ") + command->get_name();
  }
  for (const std::string& argument : arguments) {
    std::string word = argument.substr(0, argument.find('='));
    if (word.empty() || std::find(known.begin(), known.end(), word) != known.end()) continue;
    std::string near = did_you_mean(word, known);
    if (!near.empty() && message.find(word) != std::string::npos)
      return "unknown argument '" + word + "'; did you mean '" + near + "'?";
  }
  // The help that is pointed to does not show the commands of a command.
  return app.get_parent() == nullptr || commands.empty() ? message
                                                         : message + "; known are " + commands;
}

constexpr const char* kEmptyValue =
    "it has an empty value, as an unset shell variable gives; write one, or leave the flag out";

/// Of `--flag ""`, which would else mean the default.
void refuse_empty_values(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() || option->get_expected_min() == 0) continue;
    option->check([](const std::string& value) { return value.empty() ? kEmptyValue : ""; });
  }
  for (CLI::App* command : app.get_subcommands({})) refuse_empty_values(*command);
}

/// Of `--flag=`, for which CLI11 would take the argument that follows.
Status check_values(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (!argument.starts_with("--") || argument.find('=') + 1 != argument.size()) continue;
    return make_error(ErrorCode::kConfig,
                      argument.substr(0, argument.size() - 1) + ": " + kEmptyValue);
  }
  return {};
}

}  // namespace

Result<Invocation> parse_command_line(const std::vector<std::string>& arguments) {
  try {
    CLI::App app(
        "Millrace serves the DynamoDB API from a data folder of its own, keeps every change in one "
        "ordered log, and feeds caches, streams and connectors from it.",
        "millrace");
    app.set_version_flag("--version", kVersion);
    ServeFlags serve;
    ReaderCommands readers;
    add_serve_flags(app, serve);
    readers.add_to(app);
    CheckOptions check{Config().data};
    CLI::App* check_command = add_check(app, check);
    CacheCommands cache;
    cache.add_to(app);
    auto chosen = [&]() -> const CLI::App& {
      if (check_command->parsed()) return *check_command;
      if (cache.cache->parsed()) return *cache.cache;
      return readers.parsed() != nullptr ? *readers.parsed() : app;
    };
    refuse_empty_values(app);
    std::vector<std::string> ours = readers.take_handler(arguments);
    RETURN_IF_ERROR(check_values(ours));
    try {
      app.parse(std::move(ours));
    } catch (const CLI::CallForVersion&) {
      return Invocation(PrintCommand{std::string(kVersion) + "\n"});
    } catch (const CLI::CallForHelp&) {
      return Invocation(PrintCommand{chosen().help()});
    } catch (const CLI::ParseError& error) {
      return make_error(ErrorCode::kConfig, unknown_argument_message(app, error.what(), arguments) +
                                                " (millrace --help tells all)");
    }
    if (check_command->parsed()) return Invocation(std::move(check));
    if (cache.cache->parsed()) return cache.invocation();
    if (readers.parsed() != nullptr) return readers.invocation();
    ASSIGN_OR_RETURN(Config config, effective_config(serve));
    return Invocation(ServeCommand{std::move(config)});
  } catch (const CLI::Error& error) {  // a mistake in the definitions above
    return make_error(ErrorCode::kInternal, error.what());
  }
}

}  // namespace millrace::sidecar
