#include "core/ops/arn.h"

namespace millrace {

namespace {

constexpr std::string_view kPrefix = "arn:";

}  // namespace

bool is_arn(std::string_view text) { return text.starts_with(kPrefix); }

std::optional<Arn> split_arn(std::string_view text) {
  if (!is_arn(text)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  Arn arn;
  for (std::string_view* part : {&arn.partition, &arn.service, &arn.region, &arn.account}) {
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    *part = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  arn.resource = text;
  return arn;
}

}  // namespace millrace
