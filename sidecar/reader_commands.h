#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "sidecar/command_line.h"

namespace millrace::sidecar {

/// Reads one flag's text into `out` if it was given; errors name the flag.
template <typename T>
Status apply_flag(const std::string& text, const char* flag, Result<T> (*parse)(std::string_view),
                  T& out) {
  if (text.empty()) return {};
  Result<T> value = parse(text);
  if (!value)
    return make_error(ErrorCode::kConfig, std::string(flag) + ": " + value.error().message);
  out = std::move(value).value();
  return {};
}

/// The commands that read changes of a running sidecar: tail, subscribe, subscriptions. For
/// parse_command_line().
class ReaderCommands {
 public:
  void add_to(CLI::App& app);
  /// Keeps what stands behind `--exec`, which is the handler's, and returns the rest as CLI11
  /// parses it, from the back.
  std::vector<std::string> take_handler(const std::vector<std::string>& arguments);
  /// The one that was given, after parsing; null if none was.
  const CLI::App* parsed() const;
  Result<Invocation> invocation() const;

 private:
  Result<TailOptions> tail_options() const;
  Result<SubscribeOptions> subscribe_options() const;
  Result<SubscriptionsCommand> subscriptions_command() const;

  CLI::App* tail_ = nullptr;
  CLI::App* subscribe_ = nullptr;
  CLI::App* subscriptions_ = nullptr;
  std::string name_, admin_, from_, filter_, failed_, action_ = "list";
  std::vector<std::string> tables_, handler_;
  bool has_handler_ = false, all_tables_ = false, json_ = false, no_color_ = false;
  uint32_t shards_ = 4;
  int64_t timeout_ms_ = 30'000, session_timeout_ms_ = 10'000;
  uint64_t attempts_ = 0;
};

}  // namespace millrace::sidecar
