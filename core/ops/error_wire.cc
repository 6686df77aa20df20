#include "core/ops/error_wire.h"

#include "core/model/item_json.h"

namespace millrace {

namespace {

#define DYNAMODB(name) "com.amazonaws.dynamodb.v20120810#" name
#define CORAL(name) "com.amazon.coral.service#" name

struct WireError {
  std::string_view type;
  int status = 400;
  std::string_view message_member = "message";
};

WireError wire_error(ErrorCode code) {
  switch (code) {
    case ErrorCode::kValidation:
      return {"com.amazon.coral.validate#ValidationException"};
    case ErrorCode::kSerialization:
      return {CORAL("SerializationException"), 400, "Message"};
    case ErrorCode::kUnknownOperation:
      return {CORAL("UnknownOperationException")};
    case ErrorCode::kMissingAuthenticationToken:
      return {CORAL("MissingAuthenticationTokenException")};
    case ErrorCode::kResourceNotFound:
      return {DYNAMODB("ResourceNotFoundException")};
    case ErrorCode::kResourceInUse:
      return {DYNAMODB("ResourceInUseException")};
    case ErrorCode::kTableNotFound:
      return {DYNAMODB("TableNotFoundException")};
    case ErrorCode::kPolicyNotFound:
      return {DYNAMODB("PolicyNotFoundException")};
    case ErrorCode::kAccessDenied:
      return {CORAL("AccessDeniedException"), 400, "Message"};
    case ErrorCode::kConditionalCheckFailed:
      return {DYNAMODB("ConditionalCheckFailedException")};
    case ErrorCode::kTransactionCanceled:
      return {DYNAMODB("TransactionCanceledException"), 400, "Message"};
    case ErrorCode::kTransactionConflict:
      return {DYNAMODB("TransactionConflictException")};
    case ErrorCode::kTransactionInProgress:
      return {DYNAMODB("TransactionInProgressException"), 400, "Message"};
    case ErrorCode::kIdempotentParameterMismatch:
      return {DYNAMODB("IdempotentParameterMismatchException"), 400, "Message"};
    case ErrorCode::kItemCollectionSizeLimitExceeded:
      return {DYNAMODB("ItemCollectionSizeLimitExceededException")};
    case ErrorCode::kLimitExceeded:
      return {DYNAMODB("LimitExceededException")};
    case ErrorCode::kThrottling:
      return {DYNAMODB("ThrottlingException")};
    case ErrorCode::kProvisionedThroughputExceeded:
      return {DYNAMODB("ProvisionedThroughputExceededException")};
    case ErrorCode::kRequestLimitExceeded:
      return {DYNAMODB("RequestLimitExceeded")};
    case ErrorCode::kExpiredIterator:
      return {DYNAMODB("ExpiredIteratorException")};
    case ErrorCode::kTrimmedDataAccess:
      return {DYNAMODB("TrimmedDataAccessException")};
    case ErrorCode::kRequestTooLarge:
      return {CORAL("RequestEntityTooLargeException"), 413};
    case ErrorCode::kServiceUnavailable:
      return {CORAL("ServiceUnavailableException"), 503};
    case ErrorCode::kInternal:
    case ErrorCode::kIo:
    case ErrorCode::kDiskFull:
    case ErrorCode::kCorruption:
    case ErrorCode::kTrimmed:
    case ErrorCode::kMoved:
    case ErrorCode::kConfig:
    case ErrorCode::kUnavailable:
      break;
  }
  return {DYNAMODB("InternalServerError"), 500};
}

#undef CORAL
#undef DYNAMODB

}  // namespace

int http_status(ErrorCode code) { return wire_error(code).status; }

std::string_view wire_type(ErrorCode code) { return wire_error(code).type; }

void render_error(const Error& error, std::string& out) {
  WireError wire = wire_error(error.code);
  out += "{\"__type\":\"";
  out += wire.type;
  out += '"';
  // What broke inside is for the log of the node, not for its clients.
  std::string_view message = error.message;
  if (wire.status == 500) message = "Internal server error";
  if (!message.empty()) {
    out += ",\"";
    out += wire.message_member;
    out += "\":";
    render_json_string(message, out);
  }
  if (!error.members.empty()) {
    out += ',';
    out += error.members;
  }
  out += '}';
}

}  // namespace millrace
