#include <algorithm>
#include <map>
#include <memory>

#include "core/expr/ast.h"
#include "core/expr/bind.h"
#include "core/expr/expression.h"
#include "core/expr/parser.h"
#include "core/expr/paths.h"
#include "core/expr/update_charge.h"
#include "core/model/refusals.h"

namespace millrace {

struct Update::Actions {
  std::vector<UpdateAction> actions;
  std::vector<Path> paths;          // of the targets
  std::vector<Path> operand_paths;  // of the right sides
  bool legacy = false;              // of AttributeUpdates
  size_t charged_bytes = 0;

  // The action on all of a top-level attribute, if there is one.
  const UpdateAction* on_attribute(std::string_view name) const {
    for (const UpdateAction& action : actions) {
      const Path& path = action.target.path;
      if (path.size() == 1 && path[0].name == name) return &action;
    }
    return nullptr;
  }
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

// A value of the item as it was, one of the request, or one worked out of them. Nothing is copied
// before all sizes are known: an update of a few kilobytes can name a large value hundreds of
// times.
class Source {
 public:
  Source() = default;  // none
  explicit Source(const Value* found) : found_(found) {}
  explicit Source(ValueView given) : given_(given) {}
  explicit Source(Value computed)
      : computed_(std::make_unique<Value>(std::move(computed))), found_(computed_.get()) {}

  bool is_none() const { return found_ == nullptr && given_.encoded().empty(); }
  ValueType type() const { return found_ != nullptr ? found_->type() : given_.type(); }
  // Bytes of a string, binary or number (ordered form).
  std::string_view scalar() const { return found_ != nullptr ? found_->scalar() : given_.scalar(); }
  size_t size() const { return found_ != nullptr ? charged_size(*found_) : charged_size(given_); }
  int levels() const;
  Value copy() const { return found_ != nullptr ? *found_ : Value::decode(given_); }

 private:
  std::unique_ptr<Value> computed_;
  const Value* found_ = nullptr;
  ValueView given_;
};

template <typename AnyValue>
int levels_of(const AnyValue& value) {
  int inner = 0;
  if (value.type() == ValueType::kList) {
    for (const auto& element : value.list()) inner = std::max(inner, levels_of(element));
  } else if (value.type() == ValueType::kMap) {
    for (const auto& [name, entry] : value.map()) inner = std::max(inner, levels_of(entry));
  }
  return inner + 1;
}

int Source::levels() const { return found_ != nullptr ? levels_of(*found_) : levels_of(given_); }

Result<Source> evaluate(const Operand& operand, const ItemTree& item);

Result<Number> evaluate_number(const Operand& operand, const ItemTree& item) {
  ASSIGN_OR_RETURN(const Source source, evaluate(operand, item));
  if (source.type() != ValueType::kNumber) return wrong_type();
  return Number::from_ordered(source.scalar());
}

Result<Source> arithmetic(const Operand& operand, const ItemTree& item) {
  ASSIGN_OR_RETURN(const Number left, evaluate_number(operand.arguments[0], item));
  ASSIGN_OR_RETURN(const Number right, evaluate_number(operand.arguments[1], item));
  ASSIGN_OR_RETURN(const Number result, operand.kind == Operand::Kind::kPlus
                                            ? Number::add(left, right)
                                            : Number::subtract(left, right));
  return Source(Value::number(result));
}

// The value that an operand has for the item as it was. Not of list_append, which stands within no
// other operand.
Result<Source> evaluate(const Operand& operand, const ItemTree& item) {
  switch (operand.kind) {
    case Operand::Kind::kValue:
      return Source(operand.value_view());
    case Operand::Kind::kPath: {
      const Value* value = find(item, operand.path);
      if (value == nullptr) return missing_attribute();
      return Source(value);
    }
    case Operand::Kind::kPlus:
    case Operand::Kind::kMinus:
      return arithmetic(operand, item);
    case Operand::Kind::kCall:
      break;
  }
  CHECK(operand.function == Function::kIfNotExists);
  if (const Value* value = find(item, operand.arguments[0].path)) return Source(value);
  return evaluate(operand.arguments[1], item);
}

Result<Source> evaluate_list(const Operand& operand, const ItemTree& item) {
  ASSIGN_OR_RETURN(Source source, evaluate(operand, item));
  if (source.type() != ValueType::kList) return wrong_type();
  return source;
}

// A value to write and what is added to it: elements of a list or a set.
struct Write {
  const Path* path;
  Source value;
  Source added;
};

Result<Write> evaluate_set(const UpdateAction& action, const ItemTree& item) {
  const Operand& operand = *action.value;
  Write write{&action.target.path, {}, {}};
  if (operand.function != Function::kListAppend) {
    ASSIGN_OR_RETURN(write.value, evaluate(operand, item));
    return write;
  }
  ASSIGN_OR_RETURN(write.value, evaluate_list(operand.arguments[0], item));
  ASSIGN_OR_RETURN(write.added, evaluate_list(operand.arguments[1], item));
  return write;
}

// The types of the old value and the operand are the same.
Result<Write> evaluate_add(const UpdateAction& action, const Value* old_value) {
  const ValueView operand = action.value->value_view();
  Write write{&action.target.path, Source(operand), {}};
  if (old_value == nullptr) return write;
  if (operand.type() == ValueType::kNumber) {
    ASSIGN_OR_RETURN(const Number sum, Number::add(old_value->as_number(), operand.number()));
    write.value = Source(Value::number(sum));
    return write;
  }
  write.value = Source(old_value);
  write.added = Source(operand);
  return write;
}

// The set without what is removed, which is sorted; it may become empty, and then the attribute
// goes.
Value evaluate_delete(const Value& old_value, const std::vector<std::string_view>& removed) {
  std::vector<std::string> kept;
  for (const std::string& element : old_value.set()) {
    if (!std::binary_search(removed.begin(), removed.end(), element)) kept.push_back(element);
  }
  return Value::set(old_value.type(), std::move(kept));
}

Value value_of(const Write& write) {
  Value value = write.value.copy();
  if (write.added.is_none()) return value;
  Value added = write.added.copy();
  if (value.type() == ValueType::kList) {
    std::move(added.list().begin(), added.list().end(), std::back_inserter(value.list()));
    return value;
  }
  std::move(added.set().begin(), added.set().end(), std::back_inserter(value.set()));
  return Value::set(value.type(), std::move(value.set()));
}

// What an update does, worked out from the item as it was.
struct Plan {
  std::vector<Write> writes;
  std::vector<const Path*> removals;
  // The new item will count no less. Targets do not overlap, so it holds every value written.
  size_t bytes = 0;

  // The elements of the sets that DELETEs name, in order, by where those lie: hundreds of actions
  // may name one that is large.
  std::map<const char*, std::vector<std::string_view>> removed_sets;

  bool is_too_large() const { return bytes > kItemBytesMax; }

  const std::vector<std::string_view>& removed(ValueView set) {
    std::vector<std::string_view>& elements = removed_sets[set.encoded().data()];
    if (elements.empty()) {
      for (std::string_view element : set.set()) elements.push_back(element);
    }
    return elements;
  }
};

// Once the item must be too large, values are measured and kept no more: what else is wrong with
// the update can be told without them, but for one that is nested too deeply.
Status plan_write(Write write, Plan& plan) {
  if (plan.is_too_large()) return {};
  size_t bytes = write.value.size();
  int deepest = write.value.levels();
  if (!write.added.is_none()) {
    // A set may hold some of what is added already, so the two are not summed.
    bytes = std::max(bytes, write.added.size());
    deepest = std::max(deepest, write.added.levels());
  }
  plan.bytes += bytes;
  if (static_cast<int>(write.path->size()) - 1 + deepest > kNestingMax) {
    return validation_error(
        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels "
        "beyond supported limit");
  }
  plan.writes.push_back(std::move(write));
  return {};
}

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
    // An index behind the list's end stays one, whatever is appended there.
    if (find(item, path) != nullptr) plan.removals.push_back(&path);
    return {};
  }
  if (action.section == Section::kSet) {
    ASSIGN_OR_RETURN(Write write, evaluate_set(action, item));
    return plan_write(std::move(write), plan);
  }
  const Value* old_value = find(item, path);
  const ValueView operand = action.value->value_view();
  if (old_value != nullptr && old_value->type() != operand.type()) return type_mismatch(legacy);
  if (action.section == Section::kAdd) {
    ASSIGN_OR_RETURN(Write write, evaluate_add(action, old_value));
    return plan_write(std::move(write), plan);
  }
  if (old_value == nullptr) return {};
  Value rest = evaluate_delete(*old_value, plan.removed(operand));
  if (!rest.set().empty()) return plan_write({&path, Source(std::move(rest)), {}}, plan);
  plan.removals.push_back(&path);
  return {};
}

// Works out all actions. DynamoDB speaks of wrong types before it speaks of what is missing, and of
// the size last.
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
  if (plan.is_too_large()) return update_too_large();
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

// Removals of what lies deepest come first, so that no index of a longer path has moved yet; those
// from one list stand together, by index.
bool removed_before(const Path* a, const Path* b) {
  return a->size() != b->size() ? a->size() > b->size() : path_before(*a, *b);
}

bool from_one_list(const Path& a, const Path& b) {
  return a.size() == b.size() && a.back().index && b.back().index &&
         std::equal(a.begin(), a.end() - 1, b.begin());
}

using Removal = std::vector<const Path*>::const_iterator;

// Takes the elements that [first, last) name, in ascending order, out of their list. One pass: a
// large list may lose hundreds of elements at once.
void remove_elements(Value::List& list, Removal first, Removal last) {
  size_t kept = *(*first)->back().index;
  for (size_t i = kept; i < list.size(); ++i) {
    if (first != last && *(*first)->back().index == i) {
      ++first;
    } else {
      list[kept++] = std::move(list[i]);
    }
  }
  list.resize(kept);
}

void remove_all(ItemTree& item, std::vector<const Path*> removals) {
  std::sort(removals.begin(), removals.end(), removed_before);
  for (Removal first = removals.begin(), last; first != removals.end(); first = last) {
    const Path& path = **first;
    last = std::find_if_not(first + 1, removals.cend(),
                            [&](const Path* other) { return from_one_list(path, *other); });
    if (path.size() == 1) {
      item.erase(path[0].name);
    } else if (path.back().index) {
      remove_elements(parent_of(item, path)->list(), first, last);
    } else {
      parent_of(item, path)->map().erase(path.back().name);
    }
  }
}

// The type of what an operand comes to, as far as that is known without an item.
std::optional<ValueType> known_type(const Operand& operand) {
  switch (operand.kind) {
    case Operand::Kind::kValue:
      return operand.value_view().type();
    case Operand::Kind::kPlus:
    case Operand::Kind::kMinus:
      return ValueType::kNumber;
    case Operand::Kind::kCall:
      if (operand.function == Function::kListAppend) return ValueType::kList;
      return std::nullopt;
    case Operand::Kind::kPath:
      return std::nullopt;
  }
  return std::nullopt;
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
  if (!legacy) actions->charged_bytes = charged_actions(actions->actions);
  for (const UpdateAction& action : actions->actions) {
    actions->paths.push_back(action.target.path);
    if (action.value) append_paths(*action.value, actions->operand_paths);
  }
  Update update;
  update.actions_ = std::move(actions);
  return update;
}

Result<ItemTree> Update::apply(ItemTree item, bool existed) const {
  ASSIGN_OR_RETURN(Plan plan, make_plan(actions_->actions, actions_->legacy, item, existed));
  // Indexes are those of the old item's lists. Writes leave them as they are: behind a list's end
  // they append, in the order of their indexes. Removals come last.
  std::sort(plan.writes.begin(), plan.writes.end(),
            [](const Write& a, const Write& b) { return path_before(*a.path, *b.path); });
  // Values are of the item as it was: the last is there before the first is written.
  std::vector<Value> values;
  values.reserve(plan.writes.size());
  for (const Write& planned : plan.writes) values.push_back(value_of(planned));
  for (size_t i = 0; i < values.size(); ++i)
    write(item, *plan.writes[i].path, std::move(values[i]));
  remove_all(item, std::move(plan.removals));
  return item;
}

std::vector<std::string> Update::attribute_names() const {
  std::vector<std::string> names;
  for (const Path& path : actions_->paths) names.push_back(path[0].name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

size_t Update::charged_size() const { return actions_->charged_bytes; }

const std::vector<Path>& Update::paths() const { return actions_->paths; }

const std::vector<Path>& Update::operand_paths() const { return actions_->operand_paths; }

std::optional<ValueView> Update::assigned_value(std::string_view attribute_name) const {
  const UpdateAction* action = actions_->on_attribute(attribute_name);
  if (action == nullptr || action->section != Section::kSet) return std::nullopt;
  if (action->value->kind != Operand::Kind::kValue) return std::nullopt;
  return action->value->value_view();
}

std::optional<ValueType> Update::assigned_type(std::string_view attribute_name) const {
  const UpdateAction* action = actions_->on_attribute(attribute_name);
  return action == nullptr || !action->value ? std::nullopt : known_type(*action->value);
}

}  // namespace millrace
