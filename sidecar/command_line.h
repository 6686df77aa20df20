#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "sidecar/cache_control.h"
#include "sidecar/config.h"
#include "sidecar/folder_check.h"
#include "sidecar/hot_keys.h"
#include "sidecar/subscribe.h"
#include "sidecar/subscriptions_command.h"
#include "sidecar/tail.h"

namespace millrace::sidecar {

/// `millrace [flags]`
struct ServeCommand {
  Config config;
};
/// `--help`, `--version`: only this text.
struct PrintCommand {
  std::string text;
};
using Invocation = std::variant<ServeCommand, TailOptions, SubscribeOptions, SubscriptionsCommand,
                                CacheCommand, HotKeysCommand, CheckOptions, PrintCommand>;

/// Reads the command line (without the program's name); for serving also the configuration file,
/// over which flags win. kConfig with what is wrong and how to mend it.
Result<Invocation> parse_command_line(const std::vector<std::string>& arguments);

}  // namespace millrace::sidecar
