#pragma once

#include <string>
#include <string_view>

#include "connectors/connector.h"

namespace millrace::connectors {

/// The topic of a table's changes when none is configured: its name, which DynamoDB's rules make a
/// legal topic's name but for length: past Kafka's 249 characters it is cut and ends in a hash of
/// the whole.
std::string kafka_topic_of(std::string_view table_name);

/// Appends the message's key to `out`: the item's key attributes as DynamoDB JSON.
void append_kafka_key(const Record& record, std::string& out);

}  // namespace millrace::connectors
