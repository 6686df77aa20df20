#pragma once

#include <string>
#include <string_view>

#include "connectors/connector.h"

namespace millrace::connectors {

/// Appends the DynamoDB Streams record with both images in the form in which Lambda gets it,
/// eventSourceARN included (the table's ARN where the table has no stream of its own).
void append_event_record(const Record& record, std::string_view region, std::string_view account,
                         std::string& out);

}  // namespace millrace::connectors
