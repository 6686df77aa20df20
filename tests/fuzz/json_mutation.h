#pragma once

#include <random>
#include <string>
#include <string_view>
#include <vector>

/// Changes of JSON that leave it JSON: a value in place of another, a member more, a value twice,
/// less or deeper. What a parser refuses at once tests only the parser.
class JsonMutation {
 public:
  /// Takes its values and members from `seeds`.
  explicit JsonMutation(const std::vector<std::string>& seeds);

  /// Whether `text` holds JSON that this can change.
  static bool suits(std::string_view text) { return text.find("{\"") != std::string_view::npos; }

  /// One change.
  void mutate(std::string& text, std::mt19937_64& random) const;

 private:
  const std::string& any_value(std::mt19937_64& random) const;

  std::vector<std::string> strings_;  // with their quotes
  std::vector<std::string> values_;   // objects, lists and other values
  std::vector<std::string> members_;  // "name":value
};
