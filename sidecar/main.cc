#include <cstdio>
#include <string>
#include <variant>
#include <vector>

#include "sidecar/command_line.h"
#include "sidecar/huge_pages.h"
#include "sidecar/serve.h"
#include "sidecar/tail.h"

namespace millrace::sidecar {
namespace {

// Exit statuses: 1 for what the world did, 2 for the operator's mistake.
int report(const Error& error) {
  std::fprintf(stderr, "millrace: %s\n", error.message.c_str());
  return error.code == ErrorCode::kConfig ? 2 : 1;
}

/// What a command got from the port that --admin named.
Error explained(Error error) {
  // The data port's answer to all that is none of its operations.
  if (error.message.find("UnknownOperationException") != std::string::npos) {
    error.message +=
        ". This does not look like the administrative port: give --admin the address that the "
        "sidecar has for it (127.0.0.1:8001 where it was given none)";
  }
  return error;
}

int run(const std::vector<std::string>& arguments) {
  Result<Invocation> invocation = parse_command_line(arguments);
  if (!invocation) return report(invocation.error());
  if (auto* print = std::get_if<PrintCommand>(&*invocation)) {
    std::fputs(print->text.c_str(), stdout);
    return 0;
  }
  Status status;
  if (auto* options = std::get_if<CheckOptions>(&*invocation)) return check(*options);
  if (auto* options = std::get_if<TailOptions>(&*invocation)) {
    status = tail(*options);
  } else if (auto* subscriber = std::get_if<SubscribeOptions>(&*invocation)) {
    status = subscribe(*subscriber);
  } else if (auto* command = std::get_if<SubscriptionsCommand>(&*invocation)) {
    status = manage_subscriptions(*command);
  } else if (auto* cache = std::get_if<CacheCommand>(&*invocation)) {
    status = command_cache(*cache);
  } else if (auto* hot = std::get_if<HotKeysCommand>(&*invocation)) {
    status = show_hot_keys(*hot);
  } else {
    status = serve(std::get<ServeCommand>(*invocation).config);
  }
  return status ? 0 : report(explained(status.error()));
}

}  // namespace
}  // namespace millrace::sidecar

int main(int argc, char** argv) {
  // Other commands mostly begin with a word, and need no memory to speak of.
  const bool serves = argc < 2 || argv[1][0] == '-';
  if (serves) millrace::sidecar::use_huge_pages(argv);
  return millrace::sidecar::run(std::vector<std::string>(argv + 1, argv + argc));
}
