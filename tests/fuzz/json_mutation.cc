#include "json_mutation.h"

#include <algorithm>
#include <optional>

namespace {

// Values that are at the edge of something.
constexpr const char* kEdges[] = {"null",
                                  "{}",
                                  "[]",
                                  "\"\"",
                                  "0",
                                  "-1",
                                  "1",
                                  "1.5",
                                  "1e400",
                                  "true",
                                  "false",
                                  "101",
                                  "9223372036854775808",
                                  "\"0\"",
                                  "\"-0.00\"",
                                  "\"1E126\"",
                                  "\"9.9E125\"",
                                  "\"1E-131\"",
                                  "\"00000000000000000000000000000000000000001\"",
                                  "\"NaN\"",
                                  "\"AA==\"",
                                  "\"A\"",
                                  "\"\\ud83d\"",
                                  "\"\\u0000\"",
                                  "\"#\"",
                                  "\":\"",
                                  "\"a.b[0]\"",
                                  "\"a[99999999999]\"",
                                  "{\"S\":\"\"}",
                                  "{\"N\":\"123456789012345678901234567890123456789\"}",
                                  "{\"SS\":[]}",
                                  "{\"NULL\":false}",
                                  "{\"S\":\"x\",\"N\":\"1\"}",
                                  "{\"M\":{\"\":{\"NULL\":true}}}",
                                  "{\"BS\":[\"\",\"AA==\"]}"};

struct Span {
  size_t begin, end;
};

/// The end of the string that begins at `begin`; none if it does not end.
std::optional<size_t> string_end(std::string_view text, size_t begin) {
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::nullopt;
}

/// The value that begins at `begin`.
std::optional<Span> value_at(std::string_view text, size_t begin) {
  if (begin >= text.size()) return std::nullopt;
  if (text[begin] == '"') {
    const auto end = string_end(text, begin);
    return end ? std::optional<Span>({begin, *end}) : std::nullopt;
  }
  if (text[begin] != '{' && text[begin] != '[') {
    const size_t end = text.find_first_of(",]} \n\"", begin);
    if (end == std::string_view::npos || end == begin) return std::nullopt;
    return Span{begin, end};
  }
  int depth = 0;
  for (size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '"') {
      const auto end = string_end(text, i);
      if (!end) return std::nullopt;
      i = *end - 1;
    } else if (text[i] == '{' || text[i] == '[') {
      ++depth;
    } else if ((text[i] == '}' || text[i] == ']') && --depth == 0) {
      return Span{begin, i + 1};
    }
  }
  return std::nullopt;
}

/// A value somewhere in `text`, of those that begin with one of `first`, outside of strings mostly.
std::optional<Span> any_span(std::string_view text, std::string_view first,
                             std::mt19937_64& random) {
  if (text.empty()) return std::nullopt;
  size_t at = text.find_first_of(first, random() % text.size());
  if (at == std::string_view::npos) at = text.find_first_of(first);
  return at == std::string_view::npos ? std::nullopt : value_at(text, at);
}

std::string repeated(std::string_view one, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += one;
  return text;
}

}  // namespace

JsonMutation::JsonMutation(const std::vector<std::string>& seeds) {
  values_.assign(std::begin(kEdges), std::end(kEdges));
  for (const std::string& seed : seeds) {
    for (size_t i = 0; i < seed.size(); ++i) {
      if (seed[i] == '{' || seed[i] == '[') {
        if (const auto span = value_at(seed, i)) {
          values_.push_back(seed.substr(i, span->end - i));
        }
      } else if (seed[i] == '"') {
        const auto end = string_end(seed, i);
        if (!end) break;
        strings_.push_back(seed.substr(i, *end - i));
        if (*end < seed.size() && seed[*end] == ':') {
          if (const auto span = value_at(seed, *end + 1)) {
            members_.push_back(seed.substr(i, span->end - i));
          }
        }
        i = *end - 1;
      }
    }
  }
  for (auto* list : {&strings_, &values_, &members_}) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  if (strings_.empty()) strings_.emplace_back("\"\"");
  if (members_.empty()) members_.emplace_back("\"S\":\"\"");
}

const std::string& JsonMutation::any_value(std::mt19937_64& random) const {
  if (random() % 2 == 0) return values_[random() % std::size(kEdges)];
  return values_[random() % values_.size()];
}

void JsonMutation::mutate(std::string& text, std::mt19937_64& random) const {
  const auto replace = [&](const std::optional<Span>& span, std::string_view with) {
    if (span) text.replace(span->begin, span->end - span->begin, with);
  };
  switch (random() % 10) {
    case 0:
    case 1:
    case 2:
      return replace(any_span(text, "\"", random), strings_[random() % strings_.size()]);
    case 3:
      return replace(any_span(text, "{[\"", random), any_value(random));
    case 4: {  // a member more
      const size_t at = text.find('{', text.empty() ? 0 : random() % text.size());
      if (at == std::string::npos) return;
      const bool empty = at + 1 < text.size() && text[at + 1] == '}';
      text.insert(at + 1, members_[random() % members_.size()] + (empty ? "" : ","));
      return;
    }
    case 5: {  // a value twice, or many times
      const auto span = any_span(text, "{[\"", random);
      if (!span || span->end - span->begin > 400) return;
      const std::string one = "," + text.substr(span->begin, span->end - span->begin);
      text.insert(span->end, repeated(one, random() % 8 == 0 ? 101 : 1));
      return;
    }
    case 6: {  // a value less
      const auto span = any_span(text, "{[\"", random);
      if (!span) return;
      const bool comma = span->end < text.size() && text[span->end] == ',';
      return replace(Span{span->begin, span->end + (comma ? 1 : 0)}, "");
    }
    case 7: {  // deeper
      const auto span = any_span(text, "{", random);
      if (!span) return;
      const size_t depth = 1 + random() % 40;
      const bool lists = random() % 2 == 0;
      text.insert(span->end, repeated(lists ? "]}" : "}}", depth));
      text.insert(span->begin, repeated(lists ? "{\"L\":[" : "{\"M\":{\"a\":", depth));
      return;
    }
    case 8: {  // a longer string
      const auto span = any_span(text, "\"", random);
      if (!span) return;
      constexpr size_t kLengths[] = {1, 2, 255, 256, 1024, 1025, 2049, 4097, 66000, 410000};
      text.insert(span->end - 1, std::string(kLengths[random() % (random() % 16 ? 6 : 10)], 'x'));
      return;
    }
    default:  // the same text elsewhere: names that fit
      if (const auto span = any_span(text, "\"", random)) {
        const std::string one = text.substr(span->begin, span->end - span->begin);
        replace(any_span(text, "\"", random), one);
      }
  }
}
