#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "streams/change.h"

namespace millrace::streams {

/// Which changes a reader wants: a pattern of Lambda's event filters over the record that DynamoDB
/// Streams makes of a change (record.h, RecordForm::kEvent, with both images and
/// `eventSourceARN`). Source: Lambda developer guide, "Control which events Lambda sends to your
/// function".
///
///   {"eventName": ["INSERT", "MODIFY"],
///    "dynamodb": {"NewImage": {"price": {"N": [{"numeric": [">", 100]}]}}}}
///
/// A pattern has the record's shape. All of its fields must match; a field's rules stand in a list,
/// of which one must match:
///
///   "text"  "" 12  true  null          equals
///   {"equals-ignore-case": "text"}     ASCII letters
///   {"prefix": "text"}, {"suffix": "text"}
///   {"anything-but": "text" | 12 | [...]}   is there and is none of these
///   {"numeric": [">", 0, "<=", 5]}     =, <, <=, >, >=, one or two
///   {"exists": true | false}           of leaves only
///
/// and `"$or": [{...}, {...}]` among the fields holds if one of its patterns does. Of a list or set
/// in the record one element must match. `{}` matches everything.
///
/// The numbers of items are text in a record: "300" and "300.0" differ, and 300 equals neither.
/// `numeric` takes them as the numbers that they are.
class EventFilter {
 public:
  static constexpr size_t kPatternBytesMax = 4096;

  /// `region` and `account`: of the ARNs in records. kValidation, with what is wrong and where.
  static Result<std::shared_ptr<const EventFilter>> parse(std::string_view pattern,
                                                          std::string region, std::string account);

  /// Reads the change itself; no record is rendered. Thread-safe.
  bool matches(const Change& change) const;
  /// The pattern without needless blanks.
  const std::string& pattern() const { return text_; }

  struct Rule;
  struct Pattern;

 private:
  EventFilter() = default;
  std::string text_, region_, account_;
  std::shared_ptr<const Pattern> root_;
};

}  // namespace millrace::streams
