#include "streams/event_filter.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <variant>

#include "core/model/item_json.h"
#include "core/model/schema.h"
#include "core/ops/table_description.h"
#include "streams/event_pattern.h"
#include "streams/record.h"
#include "streams/stream_ids.h"

namespace millrace::streams {
namespace {

using Rule = EventFilter::Rule;
using Pattern = EventFilter::Pattern;

struct Context {
  const Change& change;
  std::string_view region, account;
};

// What stands at some place of a record. An object of one member is an attribute value.
struct Missing {};
struct RecordObject {};
struct DynamodbObject {};
struct IdentityObject {};
struct KeysObject {};
struct Attribute {
  ValueView value;
};
struct Scalar {  // a leaf that is text in JSON
  std::string text;
  bool is_number = false;  // of an item
};
struct Integer {
  int64_t value;
};
struct Truth {
  bool value;
};
struct Elements {
  ValueView value;  // a list or a set
};
using Place = std::variant<Missing, RecordObject, DynamodbObject, IdentityObject, KeysObject,
                           MapView, Attribute, Scalar, Integer, Truth, Elements>;

/// What a set's element, a number, string or binary is in JSON.
Scalar scalar_of(ValueType type, std::string_view bytes) {
  switch (type) {
    case ValueType::kNumber:
    case ValueType::kNumberSet: {
      auto number = Number::from_ordered(bytes);
      return {number ? number->text() : "", true};
    }
    case ValueType::kBinary:
    case ValueType::kBinarySet: {
      Scalar scalar;
      render_base64(bytes, scalar.text);
      return scalar;
    }
    default:
      return {std::string(bytes)};
  }
}

Place record_member(const Context& context, std::string_view name) {
  const Change& change = context.change;
  if (name == "dynamodb") return DynamodbObject{};
  if (name == "eventName") return Scalar{std::string(event_name(change.change.kind))};
  if (name == "eventSource") return Scalar{"aws:dynamodb"};
  if (name == "eventVersion") return Scalar{"1.1"};
  if (name == "awsRegion") return Scalar{std::string(context.region)};
  Scalar scalar;
  if (name == "eventID") {
    append_event_id(change.change.lsn, scalar.text);
    return scalar;
  }
  if (name == "eventSourceARN") {
    append_source_arn(*change.table, context.region, context.account, scalar.text);
    return scalar;
  }
  if (name == "userIdentity" && change.entry.field(EntryField::kIdentity)) return IdentityObject{};
  return Missing{};
}

Place dynamodb_member(const Context& context, std::string_view name) {
  const Change& change = context.change;
  if (name == "NewImage" && change.change.new_image)
    return ItemView(*change.change.new_image).attributes();
  if (name == "OldImage" && change.change.old_image)
    return ItemView(*change.change.old_image).attributes();
  if (name == "Keys") return KeysObject{};
  if (name == "SequenceNumber") return Scalar{sequence_number(change.change.lsn)};
  if (name == "StreamViewType") return Scalar{"NEW_AND_OLD_IMAGES"};
  if (name == "ApproximateCreationDateTime") return Integer{change.entry.time_ms() / 1000};
  if (name == "SizeBytes") {
    return Integer{static_cast<int64_t>(
        record_size(*change.table, StreamViewType::kNewAndOldImages, change.change))};
  }
  return Missing{};
}

/// `type` names the one member of an attribute value.
Place attribute_member(ValueView value, std::string_view type) {
  if (type != wire_name(value.type())) return Missing{};
  switch (value.type()) {
    case ValueType::kNull:
    case ValueType::kTrue:
      return Truth{true};
    case ValueType::kFalse:
      return Truth{false};
    case ValueType::kMap:
      return value.map();
    case ValueType::kList:
    case ValueType::kStringSet:
    case ValueType::kNumberSet:
    case ValueType::kBinarySet:
      return Elements{value};
    default:
      return scalar_of(value.type(), value.scalar());
  }
}

class Matcher {
 public:
  explicit Matcher(const Context& context) : context_(context) {}

  bool matches(const Pattern& pattern, const Place& place) {
    for (const Pattern::Field& field : pattern.fields) {
      const Place value = member(place, field.name);
      if (field.object != nullptr ? !matches_object(*field.object, value)
                                  : !matches_any(field.rules, value)) {
        return false;
      }
    }
    for (const std::vector<Pattern>& choices : pattern.choices) {
      if (std::none_of(choices.begin(), choices.end(),
                       [&](const Pattern& choice) { return matches(choice, place); })) {
        return false;
      }
    }
    return true;
  }

 private:
  Place member(const Place& place, std::string_view name) {
    if (std::holds_alternative<RecordObject>(place)) return record_member(context_, name);
    if (std::holds_alternative<DynamodbObject>(place)) return dynamodb_member(context_, name);
    if (std::holds_alternative<KeysObject>(place)) return key_member(name);
    if (std::holds_alternative<IdentityObject>(place)) {
      if (name == "type") return Scalar{"Service"};
      if (name == "principalId")
        return Scalar{std::string(*context_.change.entry.field(EntryField::kIdentity))};
      return Missing{};
    }
    if (const auto* map = std::get_if<MapView>(&place)) {
      auto value = map->get(name);
      return value ? Place(Attribute{*value}) : Place(Missing{});
    }
    if (const auto* attribute = std::get_if<Attribute>(&place))
      return attribute_member(attribute->value, name);
    return Missing{};
  }

  Place key_member(std::string_view name) {
    if (key_item_.empty()) key_item_ = key_item(*context_.change.table, context_.change.change.key);
    auto value = ItemView(key_item_).get(name);
    return value ? Place(Attribute{*value}) : Place(Missing{});
  }

  /// Of a list one element must match as a whole.
  bool matches_object(const Pattern& pattern, const Place& place) {
    const auto* elements = std::get_if<Elements>(&place);
    if (elements == nullptr || elements->value.type() != ValueType::kList)
      return matches(pattern, place);
    for (ValueView element : elements->value.list()) {
      if (matches(pattern, Attribute{element})) return true;
    }
    return false;
  }

  bool matches_any(const std::vector<Rule>& rules, const Place& place) {
    return std::any_of(rules.begin(), rules.end(),
                       [&](const Rule& rule) { return matches_rule(rule, place); });
  }

  bool matches_rule(const Rule& rule, const Place& place) {
    if (rule.kind == Rule::Kind::kExists) return is_leaf(place);
    if (rule.kind == Rule::Kind::kAbsent) return !is_leaf(place);
    const auto* elements = std::get_if<Elements>(&place);
    if (elements == nullptr) return matches_leaf(rule, place);
    // A list's elements are attribute values, which are no leaves; a set's are.
    if (elements->value.type() == ValueType::kList) return false;
    for (std::string_view element : elements->value.set()) {
      if (matches_leaf(rule, scalar_of(elements->value.type(), element))) return true;
    }
    return false;
  }

  static bool is_leaf(const Place& place) {
    if (const auto* elements = std::get_if<Elements>(&place))
      return elements->value.type() != ValueType::kList;
    return std::holds_alternative<Scalar>(place) || std::holds_alternative<Integer>(place) ||
           std::holds_alternative<Truth>(place);
  }

  static bool matches_leaf(const Rule& rule, const Place& place) {
    const auto* scalar = std::get_if<Scalar>(&place);
    const auto* integer = std::get_if<Integer>(&place);
    const auto* truth = std::get_if<Truth>(&place);
    switch (rule.kind) {
      case Rule::Kind::kText:
        return scalar != nullptr && scalar->text == rule.text;
      case Rule::Kind::kInteger:
        return integer != nullptr && integer->value == rule.integer;
      case Rule::Kind::kTrue:
        return truth != nullptr && truth->value;
      case Rule::Kind::kFalse:
        return truth != nullptr && !truth->value;
      case Rule::Kind::kIgnoreCase:
        return scalar != nullptr && equal_ignoring_case(scalar->text, rule.text);
      case Rule::Kind::kPrefix:
        return scalar != nullptr && scalar->text.starts_with(rule.text);
      case Rule::Kind::kSuffix:
        return scalar != nullptr && scalar->text.ends_with(rule.text);
      case Rule::Kind::kAnythingBut:
        return (scalar != nullptr || integer != nullptr || truth != nullptr) &&
               std::none_of(rule.excluded.begin(), rule.excluded.end(),
                            [&](const Rule& excluded) { return matches_leaf(excluded, place); });
      case Rule::Kind::kNumeric:
        return matches_number(rule, scalar, integer);
      default:  // a record has no null and no fraction
        return false;
    }
  }

  static bool equal_ignoring_case(std::string_view a, std::string_view b) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                              [&](char x, char y) { return lower(x) == lower(y); });
  }

  static bool matches_number(const Rule& rule, const Scalar* scalar, const Integer* integer) {
    double value = 0;
    if (integer != nullptr) {
      value = static_cast<double>(integer->value);
    } else if (scalar != nullptr && scalar->is_number) {
      value = std::strtod(scalar->text.c_str(), nullptr);
    } else {
      return false;
    }
    return std::all_of(rule.bounds.begin(), rule.bounds.end(), [&](const Rule::Bound& bound) {
      if (bound.comparison == "=") return value == bound.value;
      if (bound.comparison == "<") return value < bound.value;
      if (bound.comparison == "<=") return value <= bound.value;
      if (bound.comparison == ">") return value > bound.value;
      return value >= bound.value;
    });
  }

  const Context& context_;
  std::string key_item_;  // encoded, once it is needed
};

}  // namespace

Result<std::shared_ptr<const EventFilter>> EventFilter::parse(std::string_view pattern,
                                                              std::string region,
                                                              std::string account) {
  std::shared_ptr<EventFilter> filter(new EventFilter);
  ASSIGN_OR_RETURN(Pattern root, parse_event_pattern(pattern, filter->text_));
  filter->root_ = std::make_shared<const Pattern>(std::move(root));
  filter->region_ = std::move(region);
  filter->account_ = std::move(account);
  return std::shared_ptr<const EventFilter>(std::move(filter));
}

bool EventFilter::matches(const Change& change) const {
  const Context context{change, region_, account_};
  return Matcher(context).matches(*root_, RecordObject{});
}

}  // namespace millrace::streams
