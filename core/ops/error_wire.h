#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"

namespace millrace {

// The one place that knows DynamoDB's error names and HTTP statuses.

/// The HTTP status of an answer with this error.
int http_status(ErrorCode code);

/// The error's full name as `__type` carries it, such as
/// "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException". The codes that never leave the
/// node are InternalServerError.
std::string_view wire_type(ErrorCode code);

/// Appends the body of an answer with `error`: `__type`, the message (under `message` or, as the
/// service does for some errors, `Message`) and the error's further members. Errors of the node's
/// own (disk, corruption) keep their text to themselves.
void render_error(const Error& error, std::string& out);

}  // namespace millrace
