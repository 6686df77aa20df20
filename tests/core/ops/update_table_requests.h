// UpdateTable's requests for a table `films`, in the JSON of ops_node.h.
#pragma once

#include <string>

#include "ops_node.h"

namespace millrace {

inline const std::string kInvalid =
    "ValidationException: One or more parameter values were invalid: ";

inline std::string update(const std::string& more) { return "{'TableName':'films'," + more + "}"; }
inline std::string units(int read, int write) {
  return "'ProvisionedThroughput':{'ReadCapacityUnits':" + std::to_string(read) +
         ",'WriteCapacityUnits':" + std::to_string(write) + "}";
}
inline std::string described(OpsNode& node) {
  return node.ok("DescribeTable", "{'TableName':'films'}");
}

inline void create_provisioned(OpsNode& node, const std::string& more = "") {
  node.ok("CreateTable",
          "{'TableName':'films','KeySchema':[{'AttributeName':'pk','KeyType':'HASH'}],"
          "'AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'}]," +
              units(5, 5) + more + "}");
}

}  // namespace millrace
