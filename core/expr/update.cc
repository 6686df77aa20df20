#include <algorithm>

#include "core/expr/ast.h"
#include "core/expr/bind.h"
#include "core/expr/expression.h"
#include "core/expr/parser.h"
#include "core/expr/paths.h"

namespace millrace {

struct Update::Actions {
  std::vector<UpdateAction> actions;
  std::vector<Path> paths;          // of the targets
  std::vector<Path> operand_paths;  // of the right sides
  bool legacy = false;              // of AttributeUpdates
};

namespace {

using Section = UpdateAction::Section;

Error wrong_type() {
  return validation_error("An operand in the update expression has an incorrect data type");
}

// What ADD and DELETE say of an attribute of another type than their operand's.
Error type_mismatch(bool legacy) {
  return legacy ? validation_error("Type mismatch for attribute to update") : wrong_type();
}

Error missing_attribute() {
  return validation_error(
      "The provided expression refers to an attribute that does not exist in the item");
}

Error invalid_path() {
  return validation_error(
      "The document path provided in the update expression is invalid for update");
}

// The value at the first `steps` steps of `path`, or null.
const Value* find(const ItemTree& item, const Path& path, size_t steps) {
  const auto top = item.find(path[0].name);
  const Value* value = top == item.end() ? nullptr : &top->second;
  for (size_t i = 1; i < steps && value != nullptr; ++i) {
    const PathElement& step = path[i];
    if (step.index) {
      const bool inside = value->type() == ValueType::kList && *step.index < value->list().size();
      value = inside ? &value->list()[*step.index] : nullptr;
    } else if (value->type() == ValueType::kMap) {
      const auto entry = value->map().find(step.name);
      value = entry == value->map().end() ? nullptr : &entry->second;
    } else {
      value = nullptr;
    }
  }
  return value;
}

const Value* find(const ItemTree& item, const Path& path) { return find(item, path, path.size()); }

Result<Value> evaluate(const Operand& operand, const ItemTree& item);

Result<Value> arithmetic(const Operand& operand, const ItemTree& item) {
  ASSIGN_OR_RETURN(const Value left, evaluate(operand.arguments[0], item));
  if (left.type() != ValueType::kNumber) return wrong_type();
  ASSIGN_OR_RETURN(const Value right, evaluate(operand.arguments[1], item));
  if (right.type() != ValueType::kNumber) return wrong_type();
  ASSIGN_OR_RETURN(const Number result,
                   operand.kind == Operand::Kind::kPlus
                       ? Number::add(left.as_number(), right.as_number())
                       : Number::subtract(left.as_number(), right.as_number()));
  return Value::number(result);
}

// The value that a SET's right side has for the item as it was.
Result<Value> evaluate(const Operand& operand, const ItemTree& item) {
  switch (operand.kind) {
    case Operand::Kind::kValue:
      return Value::decode(operand.value_view());
    case Operand::Kind::kPath: {
      const Value* value = find(item, operand.path);
      if (value == nullptr) return missing_attribute();
      return *value;
    }
    case Operand::Kind::kPlus:
    case Operand::Kind::kMinus:
      return arithmetic(operand, item);
    case Operand::Kind::kCall:
      break;
  }
  if (operand.function == Function::kIfNotExists) {
    if (const Value* value = find(item, operand.arguments[0].path)) return *value;
    return evaluate(operand.arguments[1], item);
  }
  ASSIGN_OR_RETURN(Value list, evaluate(operand.arguments[0], item));
  if (list.type() != ValueType::kList) return wrong_type();
  ASSIGN_OR_RETURN(Value tail, evaluate(operand.arguments[1], item));
  if (tail.type() != ValueType::kList) return wrong_type();
  std::move(tail.list().begin(), tail.list().end(), std::back_inserter(list.list()));
  return list;
}

// The types of the old value and the operand are the same.
Result<Value> evaluate_add(const Value* old_value, ValueView operand) {
  if (old_value == nullptr) return Value::decode(operand);
  if (operand.type() == ValueType::kNumber) {
    ASSIGN_OR_RETURN(const Number sum, Number::add(old_value->as_number(), operand.number()));
    return Value::number(sum);
  }
  if (operand.type() == ValueType::kList) {
    Value list = *old_value;
    for (ValueView element : operand.list()) list.list().push_back(Value::decode(element));
    return list;
  }
  std::vector<std::string> elements = old_value->set();
  for (std::string_view element : operand.set()) elements.emplace_back(element);
  return Value::set(operand.type(), std::move(elements));
}

// The set without the operand's elements; it may become empty, and then the attribute goes.
Value evaluate_delete(const Value& old_value, ValueView operand) {
  const SetView removed = operand.set();
  std::vector<std::string> kept;
  for (const std::string& element : old_value.set()) {
    if (!removed.contains(element)) kept.push_back(element);
  }
  return Value::set(operand.type(), std::move(kept));
}

int levels(const Value& value) {
  int inner = 0;
  for (const Value& element : value.list()) inner = std::max(inner, levels(element));
  for (const auto& [name, entry] : value.map()) inner = std::max(inner, levels(entry));
  return inner + 1;
}

struct Write {
  const Path* path;
  Value value;
};

// What an update does, worked out from the item as it was.
struct Plan {
  std::vector<Write> writes;
  std::vector<const Path*> removals;
};

// Adds one action to the plan.
Status plan_action(const UpdateAction& action, bool legacy, const ItemTree& item, bool existed,
                   Plan& plan) {
  const Path& path = action.target.path;
  if (path.size() > 1 && find(item, path, path.size() - 1) == nullptr) {
    // The service lets only a removal pass, and that only from an item that is not there.
    if (action.section == Section::kRemove && !existed) return {};
    return invalid_path();
  }
  if (action.section == Section::kRemove) {
    plan.removals.push_back(&path);
    return {};
  }
  Value value;
  if (action.section == Section::kSet) {
    ASSIGN_OR_RETURN(value, evaluate(*action.value, item));
  } else {
    const Value* old_value = find(item, path);
    const ValueView operand = action.value->value_view();
    if (old_value != nullptr && old_value->type() != operand.type()) return type_mismatch(legacy);
    if (action.section == Section::kAdd) {
      ASSIGN_OR_RETURN(value, evaluate_add(old_value, operand));
    } else {
      if (old_value == nullptr) return {};
      value = evaluate_delete(*old_value, operand);
      if (value.set().empty()) {
        plan.removals.push_back(&path);
        return {};
      }
    }
  }
  if (static_cast<int>(path.size()) - 1 + levels(value) > kNestingMax) {
    return validation_error(
        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels "
        "beyond supported limit");
  }
  plan.writes.push_back({&path, std::move(value)});
  return {};
}

// Works out all actions. DynamoDB speaks of wrong types before it speaks of what is missing.
Result<Plan> make_plan(const std::vector<UpdateAction>& actions, bool legacy, const ItemTree& item,
                       bool existed) {
  for (const UpdateAction& action : actions) {
    const Path& path = action.target.path;
    if (path.size() == 1) continue;
    const Value* parent = find(item, path, path.size() - 1);
    const ValueType needed = path.back().index ? ValueType::kList : ValueType::kMap;
    if (parent != nullptr && parent->type() != needed) return invalid_path();
  }
  Plan plan;
  Status missing;
  for (const UpdateAction& action : actions) {
    Status status = plan_action(action, legacy, item, existed, plan);
    if (status) continue;
    const std::string& message = status.error().message;
    const bool later = message == missing_attribute().message || message == invalid_path().message;
    if (!later) return status.error();
    if (missing) missing = std::move(status);
  }
  if (!missing) return missing.error();
  return plan;
}

// The map or list that holds what `path` names; the plan has checked that it is there.
Value* parent_of(ItemTree& item, const Path& path) {
  return const_cast<Value*>(find(item, path, path.size() - 1));
}

void write(ItemTree& item, const Path& path, Value value) {
  const PathElement& last = path.back();
  if (path.size() == 1) {
    item.insert_or_assign(last.name, std::move(value));
    return;
  }
  Value* parent = parent_of(item, path);
  if (!last.index) {
    parent->map().insert_or_assign(last.name, std::move(value));
  } else if (*last.index < parent->list().size()) {
    parent->list()[*last.index] = std::move(value);
  } else {
    parent->list().push_back(std::move(value));
  }
}

void remove(ItemTree& item, const Path& path) {
  const PathElement& last = path.back();
  if (path.size() == 1) {
    item.erase(last.name);
    return;
  }
  Value* parent = parent_of(item, path);
  if (!last.index) {
    parent->map().erase(last.name);
  } else if (*last.index < parent->list().size()) {
    parent->list().erase(parent->list().begin() + *last.index);
  }
}

}  // namespace

Result<Update> Update::parse(std::string_view text, Bindings& bindings) {
  ASSIGN_OR_RETURN(UpdateSyntax syntax, Parser(text, "UpdateExpression").update());
  RETURN_IF_ERROR(bind_update(syntax, bindings));
  return of(std::move(syntax.actions), false);
}

Update Update::of_legacy(std::vector<UpdateAction> actions) { return of(std::move(actions), true); }

Update Update::of(std::vector<UpdateAction> bound, bool legacy) {
  auto actions = std::make_shared<Actions>();
  actions->actions = std::move(bound);
  actions->legacy = legacy;
  for (const UpdateAction& action : actions->actions) {
    actions->paths.push_back(action.target.path);
    if (action.value) append_paths(*action.value, actions->operand_paths);
  }
  Update update;
  update.actions_ = std::move(actions);
  return update;
}

Result<ItemTree> Update::apply(const ItemTree& old_item, bool existed) const {
  ASSIGN_OR_RETURN(Plan plan, make_plan(actions_->actions, actions_->legacy, old_item, existed));
  ItemTree item = old_item;
  // Indexes are those of the old item's lists. Writes leave them as they are: behind a list's end
  // they append, in the order of their indexes. Removals then go from the back to the front.
  std::sort(plan.writes.begin(), plan.writes.end(),
            [](const Write& a, const Write& b) { return path_before(*a.path, *b.path); });
  for (Write& planned : plan.writes) write(item, *planned.path, std::move(planned.value));
  std::sort(plan.removals.begin(), plan.removals.end(),
            [](const Path* a, const Path* b) { return path_before(*b, *a); });
  for (const Path* path : plan.removals) remove(item, *path);
  return item;
}

std::vector<std::string> Update::attribute_names() const {
  std::vector<std::string> names;
  for (const Path& path : actions_->paths) names.push_back(path[0].name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

size_t Update::charged_size(ItemView new_item) const {
  constexpr size_t kUpdateBytes = 3, kWriteBytes = 19, kRemovalBytes = 2;
  constexpr size_t kListIndexBytes = 1, kArithmeticBytes = 50;
  size_t bytes = kUpdateBytes;
  std::vector<Path> written;
  for (const UpdateAction& action : actions_->actions) {
    if (action.section == Section::kRemove || action.section == Section::kDelete) {
      bytes += kRemovalBytes;
      continue;
    }
    bytes += kWriteBytes;
    const Path& target = action.target.path;
    if (target.back().index) bytes += kListIndexBytes;
    if (action.value->kind == Operand::Kind::kPlus || action.value->kind == Operand::Kind::kMinus)
      bytes += kArithmeticBytes;
    written.push_back({target[0]});
  }
  const std::string attributes = select_paths(new_item, written);
  return bytes + millrace::charged_size(ItemView(attributes));
}

const std::vector<Path>& Update::paths() const { return actions_->paths; }

const std::vector<Path>& Update::operand_paths() const { return actions_->operand_paths; }

std::optional<ValueView> Update::assigned_value(std::string_view attribute_name) const {
  for (const UpdateAction& action : actions_->actions) {
    const Path& path = action.target.path;
    if (path.size() == 1 && path[0].name == attribute_name &&
        action.section == UpdateAction::Section::kSet &&
        action.value->kind == Operand::Kind::kValue) {
      return action.value->value_view();
    }
  }
  return std::nullopt;
}

}  // namespace millrace
