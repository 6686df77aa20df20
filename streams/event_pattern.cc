#include "streams/event_pattern.h"

#include <simdjson.h>

#include <set>

namespace millrace::streams {
namespace {

namespace dom = simdjson::dom;
using Rule = EventFilter::Rule;
using Pattern = EventFilter::Pattern;

// An image nests 32 deep, each level of it two of the record's. Bounds recursion.
constexpr int kDepthMax = 80;

Error wrong(const std::string& path, const std::string& message) {
  return validation_error("filter: " + (path.empty() ? "" : "'" + path + "': ") + message);
}

std::string shown(dom::element element) {
  std::string text = simdjson::minify(element);
  return text.size() <= 60 ? text : text.substr(0, 60) + "...";
}

Result<Rule> scalar_rule(dom::element element, const std::string& path) {
  Rule rule;
  switch (element.type()) {
    case dom::element_type::STRING:
      rule.kind = Rule::Kind::kText;
      rule.text = std::string_view(element.get_string().value_unsafe());
      return rule;
    case dom::element_type::INT64:
      rule.kind = Rule::Kind::kInteger;
      rule.integer = element.get_int64().value_unsafe();
      return rule;
    case dom::element_type::UINT64:
    case dom::element_type::DOUBLE:
      rule.kind = Rule::Kind::kFraction;
      return rule;
    case dom::element_type::BOOL:
      rule.kind = element.get_bool().value_unsafe() ? Rule::Kind::kTrue : Rule::Kind::kFalse;
      return rule;
    case dom::element_type::NULL_VALUE:
      rule.kind = Rule::Kind::kNull;
      return rule;
    default:
      return wrong(path, shown(element) + " is no value to compare with");
  }
}

Result<Rule> text_rule(Rule::Kind kind, dom::element operand, std::string_view name,
                       const std::string& path) {
  std::string_view text;
  if (operand.get(text)) return wrong(path, std::string(name) + " takes a string");
  Rule rule;
  rule.kind = kind;
  rule.text = text;
  return rule;
}

Result<Rule> anything_but(dom::element operand, const std::string& path) {
  Rule rule;
  rule.kind = Rule::Kind::kAnythingBut;
  dom::array list;
  const bool several = !operand.get(list);
  auto exclude = [&](dom::element element) -> Status {
    ASSIGN_OR_RETURN(Rule excluded, scalar_rule(element, path));
    if (excluded.kind != Rule::Kind::kText && excluded.kind != Rule::Kind::kInteger &&
        excluded.kind != Rule::Kind::kFraction) {
      return wrong(path, "anything-but takes strings and numbers");
    }
    rule.excluded.push_back(std::move(excluded));
    return {};
  };
  if (!several) {
    RETURN_IF_ERROR(exclude(operand));
    return rule;
  }
  for (dom::element element : list) RETURN_IF_ERROR(exclude(element));
  if (rule.excluded.empty()) return wrong(path, "anything-but takes a list that is not empty");
  return rule;
}

Result<Rule> numeric(dom::element operand, const std::string& path) {
  static const std::set<std::string_view> comparisons = {"=", "<", "<=", ">", ">="};
  const std::string expected =
      "numeric takes one or two comparisons, such as [\">\", 0, \"<=\", 5]";
  dom::array list;
  if (operand.get(list) || (list.size() != 2 && list.size() != 4)) return wrong(path, expected);
  Rule rule;
  rule.kind = Rule::Kind::kNumeric;
  for (size_t i = 0; i < list.size(); i += 2) {
    std::string_view comparison;
    Rule::Bound bound;
    if (list.at(i).get(comparison) || !comparisons.contains(comparison) ||
        list.at(i + 1).get(bound.value)) {
      return wrong(path, expected);
    }
    bound.comparison = comparison;
    rule.bounds.push_back(std::move(bound));
  }
  return rule;
}

Result<Rule> operator_rule(dom::object object, const std::string& path) {
  if (object.size() != 1) return wrong(path, "a rule has one operator");
  const auto [name, operand] = *object.begin();
  if (name == "prefix") return text_rule(Rule::Kind::kPrefix, operand, name, path);
  if (name == "suffix") return text_rule(Rule::Kind::kSuffix, operand, name, path);
  if (name == "equals-ignore-case") return text_rule(Rule::Kind::kIgnoreCase, operand, name, path);
  if (name == "anything-but") return anything_but(operand, path);
  if (name == "numeric") return numeric(operand, path);
  if (name == "exists") {
    bool exists = false;
    if (operand.get(exists)) return wrong(path, "exists takes true or false");
    Rule rule;
    rule.kind = exists ? Rule::Kind::kExists : Rule::Kind::kAbsent;
    return rule;
  }
  return wrong(path, "'" + std::string(name.substr(0, 60)) +
                         "' is no operator; there are prefix, suffix, equals-ignore-case, "
                         "anything-but, numeric and exists");
}

Result<std::vector<Rule>> rules(dom::array list, const std::string& path) {
  std::vector<Rule> rules;
  for (dom::element element : list) {
    dom::object object;
    Result<Rule> rule =
        element.get(object) ? scalar_rule(element, path) : operator_rule(object, path);
    if (!rule) return rule.error();
    rules.push_back(std::move(rule).value());
  }
  if (rules.empty()) return wrong(path, "the list of rules is empty");
  return rules;
}

bool all_objects(dom::array list) {
  for (dom::element element : list) {
    if (!element.is_object()) return false;
  }
  return list.size() > 0;
}

Result<Pattern> read_pattern(dom::object object, const std::string& path, int depth);

Result<std::vector<Pattern>> read_choices(dom::array list, const std::string& path, int depth) {
  std::vector<Pattern> choices;
  for (dom::element element : list) {
    dom::object object;
    if (element.get(object) || object.size() == 0)
      return wrong(path, "$or takes a list of patterns that are not empty");
    ASSIGN_OR_RETURN(Pattern choice, read_pattern(object, path, depth + 1));
    choices.push_back(std::move(choice));
  }
  return choices;
}

Result<Pattern> read_pattern(dom::object object, const std::string& path, int depth) {
  if (depth > kDepthMax) return wrong(path, "the pattern is nested too deep");
  Pattern pattern;
  std::set<std::string_view> seen;
  for (const auto [name, value] : object) {
    const std::string at =
        path.size() > 200 ? path : (path.empty() ? "" : path + ".") + std::string(name);
    if (!seen.insert(name).second) return wrong(at, "it is there twice");
    dom::array list;
    dom::object nested;
    if (!value.get(list)) {
      if (name == "$or" && all_objects(list)) {
        ASSIGN_OR_RETURN(std::vector<Pattern> choices, read_choices(list, at, depth));
        pattern.choices.push_back(std::move(choices));
        continue;
      }
      ASSIGN_OR_RETURN(std::vector<Rule> any, rules(list, at));
      pattern.fields.push_back({std::string(name), std::move(any), nullptr});
    } else if (!value.get(nested)) {
      if (nested.size() == 0) return wrong(at, "the pattern is empty");
      ASSIGN_OR_RETURN(Pattern inner, read_pattern(nested, at, depth + 1));
      pattern.fields.push_back(
          {std::string(name), {}, std::make_shared<const Pattern>(std::move(inner))});
    } else {
      return wrong(at, shown(value) + " must stand in a list: [" + shown(value) + "]");
    }
  }
  return pattern;
}

}  // namespace

Result<Pattern> parse_event_pattern(std::string_view text, std::string& normal) {
  if (text.size() > EventFilter::kPatternBytesMax)
    return wrong("", "a pattern has at most 4096 characters");
  dom::parser parser;
  dom::element element;
  dom::object object;
  if (parser.parse(simdjson::padded_string(text)).get(element))
    return wrong("", "this is not JSON: " + std::string(text.substr(0, 60)));
  if (element.get(object))
    return wrong("",
                 "a pattern is an object of JSON, such as "
                 "{\"eventName\": [\"INSERT\"]}");
  normal = simdjson::minify(element);
  return read_pattern(object, "", 0);
}

}  // namespace millrace::streams
