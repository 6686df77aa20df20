#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"

// What DynamoDB says in the same words in many places.

namespace millrace {

/// Of a parameter that is well-formed and yet wrong, mostly.
inline Error invalid_parameter(std::string_view what) {
  return validation_error(std::string("One or more parameter values were invalid: ").append(what));
}

/// Of a key's value over kPartitionKeyBytesMax or, of a sort key, over kSortKeyBytesMax.
inline Error key_too_long(bool is_partition) {
  // "of2048" is DynamoDB's own spelling.
  return invalid_parameter(
      is_partition ? "Size of hashkey has exceeded the maximum size limit of2048 bytes"
                   : "Aggregated size of all range keys has exceeded the size limit of 1024 bytes");
}

/// Of an update that would make an item larger than kItemBytesMax.
inline Error update_too_large() {
  return validation_error("Item size to update has exceeded the maximum allowed size");
}

}  // namespace millrace
