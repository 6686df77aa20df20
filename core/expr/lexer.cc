#include "core/expr/lexer.h"

#include <tuple>
#include <utility>

namespace millrace {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

bool equal_ignoring_case(std::string_view text, std::string_view upper) {
  if (text.size() != upper.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & ~0x20) != upper[i]) return false;
  }
  return true;
}

TokenKind kind_of_word(std::string_view word) {
  static constexpr std::pair<std::string_view, TokenKind> kKeywords[] = {
      {"AND", TokenKind::kAnd},         {"OR", TokenKind::kOr},
      {"NOT", TokenKind::kNot},         {"IN", TokenKind::kIn},
      {"BETWEEN", TokenKind::kBetween}, {"SET", TokenKind::kSet},
      {"REMOVE", TokenKind::kRemove},   {"ADD", TokenKind::kAdd},
      {"DELETE", TokenKind::kDelete},
  };
  for (const auto& [keyword, kind] : kKeywords) {
    if (equal_ignoring_case(word, keyword)) return kind;
  }
  return TokenKind::kName;
}

// The kind and length of the operator or bracket at the front of `text`.
std::pair<TokenKind, size_t> punctuation(std::string_view text) {
  const char next = text.size() > 1 ? text[1] : '\0';
  switch (text[0]) {
    case '=':
      return {TokenKind::kEqual, 1};
    case '<':
      if (next == '>') return {TokenKind::kNotEqual, 2};
      if (next == '=') return {TokenKind::kLessOrEqual, 2};
      return {TokenKind::kLess, 1};
    case '>':
      if (next == '=') return {TokenKind::kGreaterOrEqual, 2};
      return {TokenKind::kGreater, 1};
    case '(':
      return {TokenKind::kOpen, 1};
    case ')':
      return {TokenKind::kClose, 1};
    case '[':
      return {TokenKind::kOpenBracket, 1};
    case ']':
      return {TokenKind::kCloseBracket, 1};
    case ',':
      return {TokenKind::kComma, 1};
    case '.':
      return {TokenKind::kDot, 1};
    case '+':
      return {TokenKind::kPlus, 1};
    case '-':
      return {TokenKind::kMinus, 1};
    default: {
      // All bytes of one character, so that an error that quotes it stays UTF-8.
      size_t size = 1;
      while (size < text.size() && (static_cast<uint8_t>(text[size]) & 0xC0) == 0x80) ++size;
      return {TokenKind::kBad, size};
    }
  }
}

}  // namespace

std::vector<Token> lex(std::string_view expression) {
  std::vector<Token> tokens;
  size_t at = 0;
  auto word_end = [&](size_t from) {
    while (from < expression.size() && is_word(expression[from])) ++from;
    return from;
  };
  while (at < expression.size()) {
    const char c = expression[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++at;
      continue;
    }
    size_t end = at + 1;
    TokenKind kind;
    if (is_letter(c)) {
      end = word_end(end);
      kind = kind_of_word(expression.substr(at, end - at));
    } else if (c == '#' || c == ':') {
      end = word_end(end);
      kind = end == at + 1 ? TokenKind::kBad : c == '#' ? TokenKind::kAlias : TokenKind::kValue;
    } else if (is_digit(c)) {
      // "01" is two integers, as in DynamoDB's grammar.
      while (c != '0' && end < expression.size() && is_digit(expression[end])) ++end;
      kind = TokenKind::kInteger;
    } else {
      size_t size;
      std::tie(kind, size) = punctuation(expression.substr(at));
      end = at + size;
    }
    tokens.push_back({kind, expression.substr(at, end - at), at, end});
    at = end;
  }
  tokens.push_back({TokenKind::kEnd, "<EOF>", expression.size(), expression.size()});
  return tokens;
}

}  // namespace millrace
