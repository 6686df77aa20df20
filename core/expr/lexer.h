#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace millrace {

enum class TokenKind : uint8_t {
  kEnd,
  kBad,      // a character that the language does not have
  kName,     // attribute or function name: a letter, then letters, digits, '_'
  kAlias,    // #name
  kValue,    // :value
  kInteger,  // a list index
  kAnd,
  kOr,
  kNot,
  kBetween,
  kIn,
  kSet,
  kRemove,
  kAdd,
  kDelete,
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kOpen,
  kClose,
  kOpenBracket,
  kCloseBracket,
  kComma,
  kDot,
  kPlus,
  kMinus,
};

/// A piece of the expression's text, which outlives it.
struct Token {
  TokenKind kind;
  std::string_view text;  // "<EOF>" at the end
  size_t begin, end;      // offsets in the expression
};

/// Cuts UTF-8 text into tokens; the last is kEnd. Keywords are recognised in any case.
std::vector<Token> lex(std::string_view expression);

}  // namespace millrace
