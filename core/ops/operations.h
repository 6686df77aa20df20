#pragma once

#include "core/ops/operation.h"
#include "core/ops/tokens.h"

namespace millrace {

// The operations of DynamoDB, each in the file of its name: its request, answer and execution.

void batch_get_item(Node& node, const Request& request, Reply reply);
void batch_write_item(Node& node, const Request& request, Reply reply);
void create_table(Node& node, const Request& request, Reply reply);
void delete_item(Node& node, const Request& request, Reply reply);
void delete_resource_policy(Node& node, const Request& request, Reply reply);
void delete_table(Node& node, const Request& request, Reply reply);
void describe_continuous_backups(Node& node, const Request& request, Reply reply);
void describe_contributor_insights(Node& node, const Request& request, Reply reply);
void describe_endpoints(Node& node, const Request& request, Reply reply);
void describe_kinesis_streaming_destination(Node& node, const Request& request, Reply reply);
void describe_limits(Node& node, const Request& request, Reply reply);
void describe_table(Node& node, const Request& request, Reply reply);
void describe_time_to_live(Node& node, const Request& request, Reply reply);
void get_item(Node& node, const Request& request, Reply reply);
void get_resource_policy(Node& node, const Request& request, Reply reply);
void list_tags_of_resource(Node& node, const Request& request, Reply reply);
void list_tables(Node& node, const Request& request, Reply reply);
void put_item(Node& node, const Request& request, Reply reply);
void put_resource_policy(Node& node, const Request& request, Reply reply);
void query(Node& node, const Request& request, Reply reply);
void scan(Node& node, const Request& request, Reply reply);
void tag_resource(Node& node, const Request& request, Reply reply);
void transact_get_items(Node& node, const Request& request, Reply reply);
/// `purge` is the node's.
void transact_write_items(Node& node, TokenPurge& purge, const Request& request, Reply reply);
void untag_resource(Node& node, const Request& request, Reply reply);
void update_continuous_backups(Node& node, const Request& request, Reply reply);
void update_item(Node& node, const Request& request, Reply reply);
void update_table(Node& node, const Request& request, Reply reply);
void update_time_to_live(Node& node, const Request& request, Reply reply);

}  // namespace millrace
