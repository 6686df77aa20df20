#include <iostream>
#include <memory>

#include "tests/core/expr/requests.h"
#include "tests/core/model/random_value.h"

// Random conditions over random items, against an evaluator that walks trees of values and knows
// nothing of encodings, tokens or views.

namespace millrace {
namespace {

using testing::random_value;

std::string json_of_value(const Value& value) {
  const std::string encoded = value.encoded();
  std::string json;
  render_value(ValueView(encoded), json);
  return json;
}

// An operand of the model: text for the parser, and how to find its value in an item.
struct ModelOperand {
  std::string text;
  std::vector<std::string> steps;  // a path: names, and indexes as "[1]"
  std::optional<Value> literal;
  std::shared_ptr<ModelOperand> size_of;

  std::optional<Value> value(const ItemTree& item) const {
    if (literal) return literal;
    if (size_of) {
      const std::optional<Value> inner = size_of->value(item);
      if (!inner) return std::nullopt;
      size_t size;
      switch (inner->type()) {
        case ValueType::kString: {
          size = 0;
          for (size_t i = 0; i < inner->scalar().size();) {
            const auto lead = static_cast<uint8_t>(inner->scalar()[i]);
            i += lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
            size += lead < 0xf0 ? 1 : 2;
          }
          break;
        }
        case ValueType::kBinary:
          size = inner->scalar().size();
          break;
        case ValueType::kList:
          size = inner->list().size();
          break;
        case ValueType::kMap:
          size = inner->map().size();
          break;
        case ValueType::kStringSet:
        case ValueType::kNumberSet:
        case ValueType::kBinarySet:
          size = inner->set().size();
          break;
        default:
          return std::nullopt;
      }
      return Value::number(Number::parse(std::to_string(size)).value());
    }
    const auto top = item.find(steps[0]);
    if (top == item.end()) return std::nullopt;
    const Value* at = &top->second;
    for (size_t i = 1; i < steps.size(); ++i) {
      if (steps[i][0] == '[') {
        const size_t index = std::stoul(steps[i].substr(1));
        if (at->type() != ValueType::kList || index >= at->list().size()) return std::nullopt;
        at = &at->list()[index];
      } else {
        const auto entry = at->map().find(steps[i]);
        if (entry == at->map().end()) return std::nullopt;
        at = &entry->second;
      }
    }
    return *at;
  }
};

bool equal(const Value& a, const Value& b) { return a.encoded() == b.encoded(); }

std::optional<std::strong_ordering> order(const std::optional<Value>& a,
                                          const std::optional<Value>& b) {
  if (!a || !b || a->type() != b->type()) return std::nullopt;
  if (a->type() == ValueType::kNumber) return a->as_number() <=> b->as_number();
  if (a->type() == ValueType::kString || a->type() == ValueType::kBinary) {
    return a->scalar().compare(b->scalar()) <=> 0;
  }
  return std::nullopt;
}

struct ModelCondition {
  std::string text;
  std::function<bool(const ItemTree&)> holds;
};

class Generator {
 public:
  explicit Generator(Random& random) : random_(random) {}

  ModelCondition condition(int depth) {
    if (depth == 0 || random_.one_in(3)) return comparison();
    switch (random_.below(3)) {
      case 0: {
        ModelCondition inner = condition(depth - 1);
        return {"NOT (" + inner.text + ")",
                [h = inner.holds](const ItemTree& item) { return !h(item); }};
      }
      case 1: {
        ModelCondition a = in_parentheses(depth - 1), b = in_parentheses(depth - 1);
        return {a.text + " AND " + b.text,
                [x = a.holds, y = b.holds](const ItemTree& item) { return x(item) && y(item); }};
      }
      default: {
        ModelCondition a = in_parentheses(depth - 1), b = in_parentheses(depth - 1);
        return {a.text + " OR " + b.text,
                [x = a.holds, y = b.holds](const ItemTree& item) { return x(item) || y(item); }};
      }
    }
  }

  std::string values_json() const {
    std::string json = "{";
    for (const auto& [alias, value] : values_) {
      json += (json.size() > 1 ? ",\"" : "\"") + alias + "\":" + json_of_value(value);
    }
    return json + "}";
  }

 private:
  ModelCondition in_parentheses(int depth) {
    ModelCondition inner = condition(depth);
    inner.text = "(" + inner.text + ")";
    return inner;
  }

  ModelOperand path() {
    static const char* kNames[] = {"pa", "pb", "pc", "pd"};
    ModelOperand operand;
    operand.steps.push_back(kNames[random_.below(4)]);
    operand.text = operand.steps[0];
    for (size_t i = random_.below(3); i > 0; --i) {
      if (random_.one_in(2)) {
        operand.steps.push_back("[" + std::to_string(random_.below(3)) + "]");
        operand.text += operand.steps.back();
      } else {
        operand.steps.push_back(random_.one_in(2) ? "pa" : "pb");
        operand.text += "." + operand.steps.back();
      }
    }
    return operand;
  }

  ModelOperand literal(Value value) {
    ModelOperand operand;
    operand.text = ":v" + std::to_string(values_.size());
    values_.emplace(operand.text, value);
    operand.literal = std::move(value);
    return operand;
  }

  ModelOperand ordered_operand() {
    if (random_.one_in(5)) {
      ModelOperand size;
      size.size_of = std::make_shared<ModelOperand>(path());
      size.text = "size(" + size.size_of->text + ")";
      return size;
    }
    if (random_.one_in(2)) return path();
    switch (random_.below(3)) {
      case 0:
        return literal(Value::string(testing::random_text(random_, 2)));
      case 1:
        return literal(Value::binary(testing::random_bytes(random_, 1)));
      default:
        return literal(Value::number(Number::parse(std::to_string(random_.below(5))).value()));
    }
  }

  ModelCondition comparison() {
    const ModelOperand a = path(), b = ordered_operand();
    switch (random_.below(9)) {
      case 0:
        return {a.text + " = " + b.text, [a, b](const ItemTree& item) {
                  const auto x = a.value(item), y = b.value(item);
                  return x && y && equal(*x, *y);
                }};
      case 1:
        return {a.text + " <> " + b.text, [a, b](const ItemTree& item) {
                  const auto x = a.value(item), y = b.value(item);
                  return !(x && y && equal(*x, *y));
                }};
      case 2:
        return {a.text + " < " + b.text, [a, b](const ItemTree& item) {
                  const auto sign = order(a.value(item), b.value(item));
                  return sign && *sign < 0;
                }};
      case 3:
        return {a.text + ">=" + b.text, [a, b](const ItemTree& item) {
                  const auto sign = order(a.value(item), b.value(item));
                  return sign && *sign >= 0;
                }};
      case 4: {
        const ModelOperand c = ordered_operand(), low = b.literal ? path() : b;
        return {c.text + " BETWEEN " + low.text + " AND " + a.text,
                [a, c, low](const ItemTree& item) {
                  const auto below = order(low.value(item), c.value(item));
                  const auto above = order(c.value(item), a.value(item));
                  return below && above && *below <= 0 && *above <= 0;
                }};
      }
      case 5: {
        const ModelOperand c = literal(random_value(random_, 2));
        return {a.text + " IN (" + b.text + ", " + c.text + ")", [a, b, c](const ItemTree& item) {
                  const auto x = a.value(item), y = b.value(item), z = c.value(item);
                  return x && ((y && equal(*x, *y)) || equal(*x, *z));
                }};
      }
      case 6:
        return {"attribute_exists(" + a.text + ")",
                [a](const ItemTree& item) { return a.value(item).has_value(); }};
      case 7:
        return {"contains(" + a.text + ", " + b.text + ")", [a, b](const ItemTree& item) {
                  const auto x = a.value(item), y = b.value(item);
                  return x && y && contains(*x, *y);
                }};
      default: {
        const ModelOperand prefix =
            literal(random_.one_in(2) ? Value::string(testing::random_text(random_, 1))
                                      : Value::binary(testing::random_bytes(random_, 1)));
        return {"begins_with(" + a.text + ", " + prefix.text + ")",
                [a, prefix](const ItemTree& item) {
                  const auto x = a.value(item);
                  return x && x->type() == prefix.literal->type() &&
                         x->scalar().substr(0, prefix.literal->scalar().size()) ==
                             prefix.literal->scalar();
                }};
      }
    }
  }

  static bool contains(const Value& whole, const Value& part) {
    auto has_element = [&](ValueType type) {
      if (part.type() != type) return false;
      for (const std::string& element : whole.set()) {
        if (element == part.scalar()) return true;
      }
      return false;
    };
    switch (whole.type()) {
      case ValueType::kString:
      case ValueType::kBinary:
        return whole.type() == part.type() &&
               whole.scalar().find(part.scalar()) != std::string::npos;
      case ValueType::kStringSet:
        return has_element(ValueType::kString);
      case ValueType::kNumberSet:
        return has_element(ValueType::kNumber);
      case ValueType::kBinarySet:
        return has_element(ValueType::kBinary);
      case ValueType::kList:
        for (const Value& element : whole.list()) {
          if (equal(element, part)) return true;
        }
        return false;
      default:
        return false;
    }
  }

  Random& random_;
  std::map<std::string, Value> values_;
};

// A value with the names that the generator's paths use, small enough for values to meet.
Value nested_value(Random& random, int levels) {
  if (levels > 1 && random.one_in(2)) {
    if (random.one_in(2)) {
      Value::List list;
      for (size_t i = random.below(4); i > 0; --i) list.push_back(nested_value(random, levels - 1));
      return Value::list(std::move(list));
    }
    Value::Map map;
    for (const char* name : {"pa", "pb"}) {
      if (random.one_in(2)) map.emplace(name, nested_value(random, levels - 1));
    }
    return Value::map(std::move(map));
  }
  switch (random.below(5)) {
    case 0:
      return Value::string(testing::random_text(random, 2));
    case 1:
      return Value::binary(testing::random_bytes(random, 2));
    case 2:
      return testing::random_set(random);
    default:
      return Value::number(Number::parse(std::to_string(random.below(5))).value());
  }
}

TEST(RandomCondition, HoldsAsTheModelSays) {
  const uint64_t seed = random_seed();
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  int held = 0, judged = 0;
  for (int round = 0; round < 5000; ++round) {
    Generator generator(random);
    const ModelCondition model = generator.condition(3);
    const std::string values = generator.values_json();
    Bindings bindings;
    ASSERT_TRUE(testing::parse_bindings("", values == "{}" ? "" : values, bindings).has_value());
    Result<Condition> condition = Condition::parse(model.text, "FilterExpression", bindings);
    if (!condition) {
      // The generator does not keep to DynamoDB's rules that an operand differs from the first one.
      ASSERT_THAT(condition.error().message, ::testing::HasSubstr("must be distinct"))
          << model.text;
      continue;
    }
    for (int i = 0; i < 8; ++i) {
      ItemTree item;
      for (const char* name : {"pa", "pb", "pc", "pd"}) {
        if (!random.one_in(4)) item.emplace(name, nested_value(random, 3));
      }
      const std::string encoded = encode_item(item);
      ASSERT_EQ(condition->evaluate(ItemView(encoded)), model.holds(item))
          << model.text << "\nvalues " << values << "\nitem " << testing::json_of(encoded);
      held += model.holds(item);
      ++judged;
    }
  }
  EXPECT_GT(held, judged / 10) << "the generator makes conditions that matter";
  EXPECT_LT(held, judged * 9 / 10);
}

}  // namespace
}  // namespace millrace
