#include "core/expr/parser.h"

#include <algorithm>

namespace millrace {
namespace {

constexpr size_t kExpressionBytesMax = 4096;

// Parentheses, NOTs and calls inside of one another. An expression within DynamoDB's 300 operators
// nests at most a NOT and a pair of parentheses each; beyond that the stack is what ends.
constexpr int kDepthMax = 700;

std::optional<Comparator> comparator_of(TokenKind kind) {
  switch (kind) {
    case TokenKind::kEqual:
      return Comparator::kEqual;
    case TokenKind::kNotEqual:
      return Comparator::kNotEqual;
    case TokenKind::kLess:
      return Comparator::kLess;
    case TokenKind::kLessOrEqual:
      return Comparator::kLessOrEqual;
    case TokenKind::kGreater:
      return Comparator::kGreater;
    case TokenKind::kGreaterOrEqual:
      return Comparator::kGreaterOrEqual;
    default:
      return std::nullopt;
  }
}

class DepthGuard {
 public:
  explicit DepthGuard(int& depth) : depth_(++depth) {}
  ~DepthGuard() { --depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;
  bool too_deep() const { return depth_ > kDepthMax; }

 private:
  int& depth_;
};

}  // namespace

std::string_view comparator_text(Comparator comparator) {
  static constexpr std::string_view kTexts[] = {"=", "<>", "<", "<=", ">", ">="};
  return kTexts[static_cast<size_t>(comparator)];
}

std::string_view section_text(UpdateAction::Section section) {
  static constexpr std::string_view kTexts[] = {"SET", "REMOVE", "ADD", "DELETE"};
  return kTexts[static_cast<size_t>(section)];
}

Error expression_error(std::string_view kind, std::string message) {
  return validation_error("Invalid " + std::string(kind) + ": " + message);
}

Parser::Parser(std::string_view expression, std::string_view kind)
    : expression_(expression), kind_(kind) {
  if (expression.size() <= kExpressionBytesMax) tokens_ = lex(expression);
}

const Token& Parser::peek(size_t ahead) const {
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

bool Parser::accept(TokenKind kind) {
  if (!is(kind)) return false;
  ++at_;
  return true;
}

bool Parser::expect(TokenKind kind) { return accept(kind) || fail(); }

bool Parser::fail() {
  furthest_failure_ = std::max(furthest_failure_, std::min(at_, tokens_.size() - 1));
  return false;
}

// The service says how long a condition is, and of an update or a projection only that it is too
// long.
Status Parser::check_text(bool says_size) const {
  if (expression_.empty()) return expression_error(kind_, "The expression can not be empty;");
  if (expression_.size() > kExpressionBytesMax) {
    std::string message = "Expression size has exceeded the maximum allowed size;";
    if (says_size) message += " expression size: " + std::to_string(expression_.size());
    return expression_error(kind_, std::move(message));
  }
  return {};
}

// The error of the furthest failure: the token there, and the text from the token before it to the
// one after it.
Error Parser::error() const {
  if (redundant_parentheses_) {
    return expression_error(kind_, "The expression has redundant parentheses;");
  }
  const size_t at = furthest_failure_;
  const size_t begin = tokens_[at == 0 ? 0 : at - 1].begin;
  const size_t end = tokens_[std::min(at + 1, tokens_.size() - 1)].end;
  return expression_error(kind_, "Syntax error; token: \"" + std::string(tokens_[at].text) +
                                     "\", near: \"" +
                                     std::string(expression_.substr(begin, end - begin)) + "\"");
}

Result<ConditionNode> Parser::condition() {
  RETURN_IF_ERROR(check_text(true));
  ConditionNode node;
  if (!or_term(node) || !expect(TokenKind::kEnd)) return error();
  return node;
}

Result<UpdateSyntax> Parser::update() {
  RETURN_IF_ERROR(check_text(false));
  UpdateSyntax syntax;
  do {
    if (!section(syntax)) return error();
  } while (!is(TokenKind::kEnd));
  return syntax;
}

Result<std::vector<Operand>> Parser::projection() {
  RETURN_IF_ERROR(check_text(false));
  std::vector<Operand> paths;
  do {
    if (!path(paths.emplace_back())) return error();
  } while (accept(TokenKind::kComma));
  if (!expect(TokenKind::kEnd)) return error();
  return paths;
}

bool Parser::or_term(ConditionNode& node) {
  if (!and_term(node)) return false;
  if (!is(TokenKind::kOr)) return true;
  ConditionNode first = std::move(node);
  node = ConditionNode{};
  node.kind = ConditionNode::Kind::kOr;
  node.children.push_back(std::move(first));
  while (accept(TokenKind::kOr)) {
    if (!and_term(node.children.emplace_back())) return false;
  }
  return true;
}

bool Parser::and_term(ConditionNode& node) {
  if (!not_term(node)) return false;
  if (!is(TokenKind::kAnd)) return true;
  ConditionNode first = std::move(node);
  node = ConditionNode{};
  node.kind = ConditionNode::Kind::kAnd;
  node.children.push_back(std::move(first));
  while (accept(TokenKind::kAnd)) {
    if (!not_term(node.children.emplace_back())) return false;
  }
  return true;
}

bool Parser::not_term(ConditionNode& node) {
  DepthGuard guard(depth_);
  if (guard.too_deep()) return fail();
  if (accept(TokenKind::kNot)) {
    node.kind = ConditionNode::Kind::kNot;
    return not_term(node.children.emplace_back());
  }
  if (is(TokenKind::kOpen)) return parenthesised_condition(node);
  return comparison(node);
}

// At a '(': a condition in parentheses, or a comparison whose first operand is.
bool Parser::parenthesised_condition(ConditionNode& node) {
  const size_t start = at_;
  ++at_;
  if (or_term(node) && expect(TokenKind::kClose)) {
    const bool is_operand =
        comparator_of(peek().kind) || is(TokenKind::kBetween) || is(TokenKind::kIn);
    if (!is_operand) {
      redundant_parentheses_ = redundant_parentheses_ || node.parenthesised;
      node.parenthesised = true;
      return !redundant_parentheses_;
    }
  }
  if (redundant_parentheses_) return false;
  at_ = start;
  node = ConditionNode{};
  return comparison(node);
}

bool Parser::comparison(ConditionNode& node) {
  if (!operand(node.operands.emplace_back())) return false;
  if (const std::optional<Comparator> comparator = comparator_of(peek().kind)) {
    ++at_;
    node.kind = ConditionNode::Kind::kCompare;
    node.comparator = *comparator;
    return operand(node.operands.emplace_back());
  }
  if (accept(TokenKind::kBetween)) {
    node.kind = ConditionNode::Kind::kBetween;
    return operand(node.operands.emplace_back()) && expect(TokenKind::kAnd) &&
           operand(node.operands.emplace_back());
  }
  if (accept(TokenKind::kIn)) {
    node.kind = ConditionNode::Kind::kIn;
    return expect(TokenKind::kOpen) && operand_list(node.operands) && expect(TokenKind::kClose);
  }
  if (node.operands[0].kind == Operand::Kind::kCall && !node.operands[0].parenthesised) {
    node.kind = ConditionNode::Kind::kCall;
    return true;
  }
  return fail();
}

bool Parser::operand_list(std::vector<Operand>& operands) {
  do {
    if (!operand(operands.emplace_back())) return false;
  } while (accept(TokenKind::kComma));
  return true;
}

bool Parser::operand(Operand& result) {
  DepthGuard guard(depth_);
  if (guard.too_deep()) return fail();
  if (is(TokenKind::kValue)) {
    result.kind = Operand::Kind::kValue;
    result.text = peek().text;
    ++at_;
    return true;
  }
  if (accept(TokenKind::kOpen)) {
    if (!operand(result) || !expect(TokenKind::kClose)) return false;
    redundant_parentheses_ = redundant_parentheses_ || result.parenthesised;
    result.parenthesised = true;
    return !redundant_parentheses_;
  }
  if (is(TokenKind::kName) && peek(1).kind == TokenKind::kOpen) {
    result.kind = Operand::Kind::kCall;
    result.text = peek().text;
    at_ += 2;
    return operand_list(result.arguments) && expect(TokenKind::kClose);
  }
  return path(result);
}

bool Parser::path(Operand& result) {
  result.kind = Operand::Kind::kPath;
  auto step = [&] {
    if (!is(TokenKind::kName) && !is(TokenKind::kAlias)) return fail();
    result.steps.push_back({is(TokenKind::kAlias) ? PathStep::Kind::kAlias : PathStep::Kind::kName,
                            std::string(peek().text)});
    ++at_;
    return true;
  };
  if (!step()) return false;
  for (;;) {
    if (accept(TokenKind::kDot)) {
      if (!step()) return false;
    } else if (accept(TokenKind::kOpenBracket)) {
      const std::string_view index = peek().text;
      if (!expect(TokenKind::kInteger) || !expect(TokenKind::kCloseBracket)) return false;
      result.steps.push_back({PathStep::Kind::kIndex, std::string(index)});
    } else {
      return true;
    }
  }
}

bool Parser::sum(Operand& result) {
  if (!operand(result)) return false;
  if (!is(TokenKind::kPlus) && !is(TokenKind::kMinus)) return true;
  Operand left = std::move(result);
  result = Operand{};
  result.kind = is(TokenKind::kPlus) ? Operand::Kind::kPlus : Operand::Kind::kMinus;
  ++at_;
  result.arguments.push_back(std::move(left));
  return operand(result.arguments.emplace_back());
}

bool Parser::set_value(Operand& result) {
  if (!is(TokenKind::kOpen)) return sum(result);
  const size_t start = at_;
  ++at_;
  if (sum(result) && expect(TokenKind::kClose) && !is(TokenKind::kPlus) && !is(TokenKind::kMinus)) {
    redundant_parentheses_ = redundant_parentheses_ || result.parenthesised;
    result.parenthesised = true;
    return !redundant_parentheses_;
  }
  if (redundant_parentheses_) return false;
  at_ = start;
  result = Operand{};
  return sum(result);
}

bool Parser::section(UpdateSyntax& syntax) {
  UpdateAction::Section section;
  switch (peek().kind) {
    case TokenKind::kSet:
      section = UpdateAction::Section::kSet;
      break;
    case TokenKind::kRemove:
      section = UpdateAction::Section::kRemove;
      break;
    case TokenKind::kAdd:
      section = UpdateAction::Section::kAdd;
      break;
    case TokenKind::kDelete:
      section = UpdateAction::Section::kDelete;
      break;
    default:
      return fail();
  }
  ++at_;
  for (const UpdateAction& earlier : syntax.actions) {
    if (earlier.section == section && !syntax.repeated) syntax.repeated = section;
  }
  do {
    UpdateAction& next = syntax.actions.emplace_back();
    next.section = section;
    if (!action(next)) return false;
  } while (accept(TokenKind::kComma));
  return true;
}

bool Parser::action(UpdateAction& result) {
  if (!path(result.target)) return false;
  if (result.section == UpdateAction::Section::kRemove) return true;
  Operand& value = result.value.emplace();
  if (result.section == UpdateAction::Section::kSet) {
    return expect(TokenKind::kEqual) && set_value(value);
  }
  if (!is(TokenKind::kValue)) return fail();
  return operand(value);
}

}  // namespace millrace
