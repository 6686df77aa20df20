#pragma once

#include <cstdint>

namespace millrace {

/// The service checks the values of requests in several places, each with words of its own for a
/// bad number and for a set with duplicates. These are the operations that have the same.
/// Source: paritysuite/dynamodb-conformance, captures of October 2026.
enum class ValueWords : uint8_t {
  kWrite,  // PutItem, UpdateItem, DeleteItem
  kBatch,  // BatchWriteItem, TransactWriteItems, TransactGetItems, Scan
  kRead,   // GetItem, BatchGetItem, Query
};

}  // namespace millrace
