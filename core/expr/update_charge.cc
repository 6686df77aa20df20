#include "core/expr/update_charge.h"

#include <string>

namespace millrace {
namespace {

using Section = UpdateAction::Section;

size_t charged_element(const PathElement& element) {
  return element.index ? std::to_string(*element.index).size() : element.name.size();
}

size_t charged_target(const Path& path) {
  constexpr size_t kStepBytes = 4;
  size_t bytes = 0;
  for (const PathElement& element : path) bytes += kStepBytes + charged_element(element);
  return bytes - kStepBytes;  // the first has none
}

size_t charged_operand(const Operand& operand) {
  constexpr size_t kPathBytes = 1, kElementBytes = 14;
  constexpr size_t kPlusBytes = 34, kMinusBytes = 37, kIfNotExistsBytes = 39, kAppendBytes = 37;
  size_t bytes = 0;
  switch (operand.kind) {
    case Operand::Kind::kValue:
      return charged_size(operand.value_view());
    case Operand::Kind::kPath:
      for (const PathElement& element : operand.path)
        bytes += kElementBytes + charged_element(element);
      return kPathBytes + bytes;
    case Operand::Kind::kPlus:
      bytes = kPlusBytes;
      break;
    case Operand::Kind::kMinus:
      bytes = kMinusBytes;
      break;
    case Operand::Kind::kCall:
      bytes = operand.function == Function::kIfNotExists ? kIfNotExistsBytes : kAppendBytes;
      break;
  }
  for (const Operand& argument : operand.arguments) bytes += charged_operand(argument);
  return bytes;
}

}  // namespace

size_t charged_actions(const std::vector<UpdateAction>& actions) {
  constexpr size_t kUpdateBytes = 3, kWriteBytes = 19, kRemovalBytes = 1;
  size_t bytes = kUpdateBytes;
  for (const UpdateAction& action : actions) {
    bytes += charged_target(action.target.path);
    // What goes is not counted.
    const bool writes = action.section == Section::kSet || action.section == Section::kAdd;
    bytes += writes ? kWriteBytes + charged_operand(*action.value) : kRemovalBytes;
  }
  return bytes;
}

}  // namespace millrace
