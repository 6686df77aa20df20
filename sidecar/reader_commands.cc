#include "sidecar/reader_commands.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "streams/event_pattern.h"
#include "streams/start_at.h"

namespace millrace::sidecar {
namespace {

constexpr const char* kPlaces = "latest|trim_horizon|TIME|LSN";

void add_admin(CLI::App& app, std::string& admin) {
  app.add_option("--admin", admin, "the sidecar's administrative address (127.0.0.1:8001)")
      ->type_name("HOST:PORT");
}

void add_filter(CLI::App& app, std::string& filter) {
  app.add_option("--filter", filter,
                 "only changes whose record matches this event pattern, such as "
                 "'{\"eventName\": [\"INSERT\"]}'")
      ->type_name("PATTERN");
}

/// The pattern without needless blanks; empty if there is none.
Result<std::string> checked_filter(const std::string& filter) {
  std::string normal;
  if (filter.empty()) return normal;
  auto pattern = streams::parse_event_pattern(filter, normal);
  if (!pattern) return make_error(ErrorCode::kConfig, "--" + pattern.error().message);
  return normal;
}

}  // namespace

void ReaderCommands::add_to(CLI::App& app) {
  tail_ = app.add_subcommand("tail", "show tables' changes as they happen");
  tail_->add_option("TABLE", tables_, "the tables' names")->required();
  tail_->add_flag("--json", json_, "one object of JSON a line, for programs");
  tail_->add_option("--from", from_, "where to begin (latest)")->type_name(kPlaces);
  add_filter(*tail_, filter_);
  tail_->add_flag("--no-color", no_color_, "no colours, also on a terminal");
  add_admin(*tail_, admin_);

  subscribe_ = app.add_subcommand(
      "subscribe", "give a program each change of a named subscription, and keep its position");
  subscribe_->add_option("NAME", name_, "the subscription's name")->required();
  subscribe_->add_option("--table", tables_, "a table, again for each; creates the subscription")
      ->type_name("TABLE")
      ->allow_extra_args(false);
  subscribe_->add_flag("--all-tables", all_tables_, "of all tables; creates the subscription");
  subscribe_->add_option("--from", from_, "where a new subscription begins (trim_horizon)")
      ->type_name(kPlaces);
  add_filter(*subscribe_, filter_);
  subscribe_->add_option("--shards", shards_, "of a new subscription, 1 to 64 (4)")->type_name("N");
  subscribe_->add_option("--timeout-ms", timeout_ms_, "for the verdict on one event (30000)")
      ->type_name("MS")
      ->check(CLI::Range(1, 86'400'000));
  subscribe_
      ->add_option("--session-timeout-ms", session_timeout_ms_,
                   "after which a silent member loses its shards (10000)")
      ->type_name("MS")
      ->check(CLI::Range(1000, 300'000));
  subscribe_
      ->add_option("--attempts", attempts_, "after which an event has failed; 0: without end (0)")
      ->type_name("N");
  subscribe_->add_option("--failed", failed_, "append events that failed to this file")
      ->type_name("FILE");
  add_admin(*subscribe_, admin_);
  subscribe_->footer(
      "  --exec PROGRAM [ARGUMENT ...]  the handler; all that follows is its own. It reads one "
      "event a line\n"
      "                                 from its standard input and writes one line for each: ok, "
      "retry or\n"
      "                                 fail REASON");

  subscriptions_ = app.add_subcommand("subscriptions", "list, reset or delete subscriptions");
  subscriptions_->add_option("ACTION", action_, "list, reset or delete (list)")
      ->check(CLI::IsMember({"list", "reset", "delete"}));
  subscriptions_->add_option("NAME", name_, "the subscription's name");
  subscriptions_->add_option("--from", from_, "of reset: where to go on")->type_name(kPlaces);
  subscriptions_->add_flag("--json", json_, "of list: one object of JSON");
  add_admin(*subscriptions_, admin_);
}

std::vector<std::string> ReaderCommands::take_handler(const std::vector<std::string>& arguments) {
  auto end = arguments.end();
  if (!arguments.empty() && arguments.front() == "subscribe") {
    end = std::find(arguments.begin(), arguments.end(), "--exec");
    has_handler_ = end != arguments.end();
    if (has_handler_) handler_.assign(end + 1, arguments.end());
  }
  return {std::make_reverse_iterator(end), arguments.rend()};
}

const CLI::App* ReaderCommands::parsed() const {
  for (const CLI::App* command : {tail_, subscribe_, subscriptions_}) {
    if (command->parsed()) return command;
  }
  return nullptr;
}

Result<Invocation> ReaderCommands::invocation() const {
  streams::StartAt start;
  RETURN_IF_ERROR(apply_flag(from_, "--from", streams::StartAt::parse, start));
  if (tail_->parsed()) {
    ASSIGN_OR_RETURN(TailOptions options, tail_options());
    return Invocation(std::move(options));
  }
  if (subscribe_->parsed()) {
    ASSIGN_OR_RETURN(SubscribeOptions options, subscribe_options());
    return Invocation(std::move(options));
  }
  ASSIGN_OR_RETURN(SubscriptionsCommand command, subscriptions_command());
  return Invocation(std::move(command));
}

Result<TailOptions> ReaderCommands::tail_options() const {
  TailOptions options;
  options.tables = tables_;
  options.json = json_;
  if (!from_.empty()) options.from = from_;
  ASSIGN_OR_RETURN(options.filter, checked_filter(filter_));
  RETURN_IF_ERROR(apply_flag(admin_, "--admin", parse_address, options.admin));
  // https://no-color.org: any value of the variable but an empty one switches colours off.
  const char* no_color = std::getenv("NO_COLOR");
  options.color = !no_color_ && !json_ && isatty(STDOUT_FILENO) == 1 &&
                  (no_color == nullptr || *no_color == '\0');
  return options;
}

Result<SubscribeOptions> ReaderCommands::subscribe_options() const {
  SubscribeOptions options;
  options.name = name_;
  options.handler = handler_;
  options.timeout_ms = timeout_ms_;
  options.session_timeout_ms = session_timeout_ms_;
  options.attempts_max = attempts_;
  options.failed = failed_;
  RETURN_IF_ERROR(apply_flag(admin_, "--admin", parse_address, options.admin));
  if (handler_.empty()) {
    return make_error(ErrorCode::kConfig,
                      "subscribe needs a handler: end with --exec PROGRAM [ARGUMENT ...]");
  }
  if (all_tables_ && !tables_.empty())
    return make_error(ErrorCode::kConfig, "--table and --all-tables do not go together");
  if (all_tables_ || !tables_.empty()) {
    SubscriptionClient::Creation creation;
    creation.tables = tables_;
    creation.shards = shards_;
    if (!from_.empty()) creation.from = from_;
    ASSIGN_OR_RETURN(creation.filter, checked_filter(filter_));
    options.creation = std::move(creation);
  } else if (!from_.empty() || !filter_.empty() || subscribe_->count("--shards") > 0) {
    return make_error(
        ErrorCode::kConfig,
        "--from, --filter and --shards are of a subscription that is created: name its tables "
        "by --table or --all-tables");
  }
  return options;
}

Result<SubscriptionsCommand> ReaderCommands::subscriptions_command() const {
  SubscriptionsCommand command;
  if (action_ == "reset") command.action = SubscriptionsCommand::Action::kReset;
  if (action_ == "delete") command.action = SubscriptionsCommand::Action::kDelete;
  command.name = name_;
  command.from = from_;
  command.json = json_;
  RETURN_IF_ERROR(apply_flag(admin_, "--admin", parse_address, command.admin));
  if (action_ != "list" && name_.empty()) {
    return make_error(ErrorCode::kConfig,
                      "subscriptions " + action_ + " needs the subscription's name");
  }
  if ((action_ == "reset") == from_.empty()) {
    return make_error(ErrorCode::kConfig, action_ == "reset" ? "subscriptions reset needs --from"
                                                             : "--from is for subscriptions reset");
  }
  return command;
}

}  // namespace millrace::sidecar
