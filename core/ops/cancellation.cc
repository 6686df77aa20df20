#include "core/ops/cancellation.h"

#include "core/model/item_json.h"

namespace millrace {

namespace {

std::string_view reason_code(const std::optional<Error>& failure) {
  if (!failure) return "None";
  switch (failure->code) {
    case ErrorCode::kConditionalCheckFailed:
      return "ConditionalCheckFailed";
    case ErrorCode::kItemCollectionSizeLimitExceeded:
      return "ItemCollectionSizeLimitExceeded";
    case ErrorCode::kTransactionConflict:
      return "TransactionConflict";
    case ErrorCode::kProvisionedThroughputExceeded:
      return "ProvisionedThroughputExceeded";
    case ErrorCode::kThrottling:
      return "ThrottlingError";
    default:
      return "ValidationError";
  }
}

}  // namespace

Error cancellation(const std::vector<std::optional<Error>>& failures) {
  Error error = make_error(ErrorCode::kTransactionCanceled,
                           "Transaction cancelled, please refer cancellation reasons for specific "
                           "reasons [");
  error.members = "\"CancellationReasons\":[";
  for (size_t i = 0; i < failures.size(); ++i) {
    if (i > 0) {
      error.message += ", ";
      error.members += ',';
    }
    std::string_view code = reason_code(failures[i]);
    error.message += code;
    error.members.append("{\"Code\":\"").append(code).append("\"");
    if (failures[i]) {
      error.members += ",\"Message\":";
      render_json_string(failures[i]->message, error.members);
      if (!failures[i]->members.empty()) error.members.append(",").append(failures[i]->members);
    }
    error.members += '}';
  }
  error.message += ']';
  error.members += ']';
  return error;
}

}  // namespace millrace
