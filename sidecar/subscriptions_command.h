#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "sidecar/config.h"

namespace millrace::sidecar {

/// `millrace subscriptions [list|reset|delete]`
struct SubscriptionsCommand {
  enum class Action : uint8_t { kList, kReset, kDelete };
  Action action = Action::kList;
  std::string name;  // of list: only this one; empty: all
  std::string from;  // of reset
  bool json = false;
  Address admin{"127.0.0.1", 8001};
};

/// Prints what there is, or that it is done.
Status manage_subscriptions(const SubscriptionsCommand& command);

/// What GET /v1/subscriptions answers, for people: a line a subscription, and one for each member.
/// Only the one called `name`, if one is given: kResourceNotFound if there is none.
Result<std::string> describe_subscriptions(std::string_view json, std::string_view name);

}  // namespace millrace::sidecar
