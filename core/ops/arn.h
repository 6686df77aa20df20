#pragma once

#include <optional>
#include <string_view>

#include "core/base/result.h"

namespace millrace {

/// `arn:<partition>:<service>:<region>:<account>:<resource>`. Views into the text; any may be
/// empty.
struct Arn {
  std::string_view partition, service, region, account, resource;
};

/// The partition of the ARNs of tables here.
inline constexpr std::string_view kPartition = "aws";

bool is_arn(std::string_view text);

/// None: parts are missing.
std::optional<Arn> split_arn(std::string_view text);

/// What another account has is neither shown nor changed.
inline Error access_denied() { return make_error(ErrorCode::kAccessDenied, "Access is denied"); }

}  // namespace millrace
