#include "sidecar/admin_answers.h"

#include <vector>

#include "sidecar/config.h"

namespace millrace::sidecar {

AdminResponse refusal(int status, const std::string& message) {
  AdminResponse response;
  response.status = status;
  response.content_type = "text/plain";
  response.body = message + "\n";
  return response;
}

std::string no_such_table(const Catalog& catalog, const std::string& name) {
  std::vector<std::string> known;
  for (const TablePtr& table : catalog.tables()) known.push_back(table->name);
  std::string near = did_you_mean(name, known);
  std::string message = "there is no table '" + name + "'";
  if (!near.empty()) message += "; did you mean '" + near + "'?";
  return message;
}

AdminResponse refusal(const Error& error) {
  int status = 503;
  switch (error.code) {
    case ErrorCode::kValidation:
    case ErrorCode::kConfig:
      status = 400;
      break;
    case ErrorCode::kResourceNotFound:
      status = 404;
      break;
    case ErrorCode::kResourceInUse:
      status = 409;
      break;
    case ErrorCode::kLimitExceeded:
      status = 429;
      break;
    default:
      break;
  }
  return refusal(status, error.message);
}

}  // namespace millrace::sidecar
