#pragma once

#include <string_view>

#include "core/base/result.h"
#include "core/model/value.h"
#include "core/model/value_words.h"

namespace millrace {

/// DynamoDB's refusal of a set in which an element comes again. `elements` are encoded as in a
/// SetView, but stand as the client sent them.
Error set_duplicates(ValueType type, std::string_view elements, ValueWords words);

/// Whether `error` is about a number or about duplicates in a set: of these the service may say
/// nothing of where in the request the value stands.
bool is_of_number_or_duplicates(const Error& error);

}  // namespace millrace
