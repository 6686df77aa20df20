#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "streams/event_filter.h"

namespace millrace::streams {

/// One way in which a value of a record may match.
struct EventFilter::Rule {
  enum class Kind : uint8_t {
    kText,
    kInteger,
    kFraction,  // a number that no record has: records' numbers are whole
    kTrue,
    kFalse,
    kNull,
    kIgnoreCase,
    kPrefix,
    kSuffix,
    kAnythingBut,
    kNumeric,
    kExists,
    kAbsent,
  };
  Kind kind = Kind::kNull;
  std::string text;
  int64_t integer = 0;
  struct Bound {
    std::string comparison;  // =, <, <=, >, >=
    double value = 0;
  };
  std::vector<Bound> bounds;   // of kNumeric
  std::vector<Rule> excluded;  // of kAnythingBut: kText, kInteger, kFraction
};

/// What the fields of one object must be.
struct EventFilter::Pattern {
  struct Field {
    std::string name;
    std::vector<Rule> rules;                // one must match; none: `object` must
    std::shared_ptr<const Pattern> object;  // null if there are rules
  };
  std::vector<Field> fields;                  // all must match
  std::vector<std::vector<Pattern>> choices;  // of each one must
};

/// Reads a pattern; `normal` gets its text without needless blanks. kValidation.
Result<EventFilter::Pattern> parse_event_pattern(std::string_view text, std::string& normal);

}  // namespace millrace::streams
