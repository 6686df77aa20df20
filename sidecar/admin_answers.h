#pragma once

#include <string>

#include "core/base/result.h"
#include "core/net/admin_server.h"
#include "core/ops/catalog.h"

namespace millrace::sidecar {

/// Refusals of the administrative port: a line of text for a person.
AdminResponse refusal(int status, const std::string& message);
/// With the status that fits the error: 400, 404, 409, 429, or 503 for what may pass.
AdminResponse refusal(const Error& error);
/// Names the table that was probably meant.
std::string no_such_table(const Catalog& catalog, const std::string& name);

}  // namespace millrace::sidecar
