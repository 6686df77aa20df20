#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/model/value.h"

namespace millrace {

// The wire-ready body of GetItem without consumed capacity: `{"Item":{...}}`, or `{}` if there is
// no item. The item cache keeps items in this form; it says as much as their encoding does.

/// Replaces `body` by that of `item`.
void render_wire_item(std::optional<ItemView> item, std::string& body);
/// The item within a body, `{"name":{"S":"..."},...}`; empty if there is none.
std::string_view json_of_wire_item(std::string_view body);
/// Replaces `encoded` by the item within a body that render_wire_item() made of one.
void parse_wire_item(std::string_view body, std::string& encoded);

}  // namespace millrace
