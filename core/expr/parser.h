#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/expr/ast.h"
#include "core/expr/lexer.h"

namespace millrace {

/// An error about an expression, in DynamoDB's form: "Invalid ConditionExpression: " and the
/// message.
Error expression_error(std::string_view kind, std::string message);

struct UpdateSyntax {
  std::vector<UpdateAction> actions;
  /// The first section that was written twice, if any.
  std::optional<UpdateAction::Section> repeated;
};

/// Recursive descent over one expression:
///
///   condition  := and_term (OR and_term)*
///   and_term   := not_term (AND not_term)*
///   not_term   := NOT not_term | '(' condition ')' | comparison
///   comparison := operand comparator operand | operand BETWEEN operand AND operand
///               | operand IN '(' operand (',' operand)* ')' | call
///   operand    := :value | call | path | '(' operand ')'
///   call       := name '(' operand (',' operand)* ')'
///   path       := step ('.' step | '[' integer ']')*        step := name | #alias
///   update     := (SET set (',' set)* | REMOVE path (',' path)*
///               | (ADD | DELETE) path :value (',' path :value)*)+
///   set        := path '=' (sum | '(' sum ')')              sum := operand (('+' | '-') operand)?
///   projection := path (',' path)*
///
/// Where a '(' may open a condition or an operand, both are tried, and the error of the one that
/// got further is reported. Recursion is bounded.
class Parser {
 public:
  /// `kind` is the parameter's name. Both outlive the parser.
  Parser(std::string_view expression, std::string_view kind);

  Result<ConditionNode> condition();
  Result<UpdateSyntax> update();
  Result<std::vector<Operand>> projection();

 private:
  const Token& peek(size_t ahead = 0) const;
  bool is(TokenKind kind) const { return peek().kind == kind; }
  bool accept(TokenKind kind);
  bool expect(TokenKind kind);
  bool fail();
  Status check_text(bool says_size) const;
  Error error() const;

  bool or_term(ConditionNode& node);
  bool and_term(ConditionNode& node);
  bool not_term(ConditionNode& node);
  bool parenthesised_condition(ConditionNode& node);
  bool comparison(ConditionNode& node);
  bool operand_list(std::vector<Operand>& operands);
  bool operand(Operand& operand);
  bool path(Operand& operand);
  bool sum(Operand& operand);
  bool set_value(Operand& operand);
  bool section(UpdateSyntax& syntax);
  bool action(UpdateAction& action);

  std::string_view expression_;
  std::string_view kind_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  size_t furthest_failure_ = 0;
  bool redundant_parentheses_ = false;
  int depth_ = 0;
};

}  // namespace millrace
