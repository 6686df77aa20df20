#include "core/model/set_duplicates.h"

#include <set>
#include <string>
#include <vector>

#include "core/model/item_json.h"
#include "core/model/refusals.h"

namespace millrace {
namespace {

// As ValueWords::kRead lists them: those up to the first that comes again in order, the rest as
// sent.
std::vector<std::string_view> ordered_up_to_repeat(const std::vector<std::string_view>& sent) {
  std::set<std::string_view> seen;
  auto rest = sent.begin();
  while (rest != sent.end() && seen.insert(*rest).second) ++rest;
  std::vector<std::string_view> listed(seen.begin(), seen.end());
  listed.insert(listed.end(), rest, sent.end());
  return listed;
}

}  // namespace

Error set_duplicates(ValueType type, std::string_view elements, ValueWords words) {
  const bool read = words == ValueWords::kRead;
  if (type == ValueType::kNumberSet) {
    return read ? invalid_parameter("Input collection contains duplicates.")
                : validation_error("Input collection contains duplicates");
  }
  std::vector<std::string_view> listed;
  for (SetView::Iterator it(elements), end(elements.substr(elements.size())); it != end; ++it)
    listed.push_back(*it);
  if (read) listed = ordered_up_to_repeat(listed);

  const bool binary = type == ValueType::kBinarySet;
  const std::string_view quote = read ? "\"" : "";
  const std::string_view comma = read && binary ? "," : ", ";
  std::string message = "Input collection [";
  for (size_t i = 0; i < listed.size(); ++i) {
    if (i > 0) message += comma;
    message += quote;
    if (binary) {
      render_base64(listed[i], message);
    } else {
      message += listed[i];
    }
    message += quote;
  }
  message += binary ? "]of type BS contains duplicates." : "] contains duplicates.";
  return invalid_parameter(message);
}

bool is_of_number_or_duplicates(const Error& error) {
  for (std::string_view part :
       {"contains duplicates", "numeric value", "significant digits", "number with magnitude"}) {
    if (error.message.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace millrace
