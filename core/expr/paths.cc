#include "core/expr/paths.h"

#include <algorithm>

#include "core/expr/ast.h"
#include "core/expr/parser.h"

namespace millrace {

void append_paths(const Operand& operand, std::vector<Path>& paths) {
  if (operand.kind == Operand::Kind::kPath) paths.push_back(operand.path);
  for (const Operand& argument : operand.arguments) append_paths(argument, paths);
}

std::string path_text(const Path& path) {
  std::string text = "[";
  for (size_t i = 0; i < path.size(); ++i) {
    if (i > 0) text += ", ";
    if (path[i].index) {
      text.append("[").append(std::to_string(*path[i].index)).append("]");
    } else {
      text += path[i].name;
    }
  }
  text += "]";
  return text;
}

bool path_before(const Path& a, const Path& b) {
  return std::lexicographical_compare(
      a.begin(), a.end(), b.begin(), b.end(), [](const PathElement& x, const PathElement& y) {
        return x.index != y.index ? x.index < y.index : x.name < y.name;
      });
}

std::optional<ValueView> resolve(ItemView item, const Path& path) {
  std::optional<ValueView> value = item.get(path[0].name);
  for (size_t i = 1; i < path.size() && value; ++i) {
    const PathElement& element = path[i];
    const ValueType wanted = element.index ? ValueType::kList : ValueType::kMap;
    if (value->type() != wanted) return std::nullopt;
    value = element.index ? value->list().at(*element.index) : value->map().get(element.name);
  }
  return value;
}

Status check_overlaps(const std::vector<const Path*>& paths, std::string_view kind) {
  std::optional<Error> conflict;
  auto describe = [&](const char* what, const Path& one, const Path& two) {
    return expression_error(kind,
                            std::string("Two document paths ") + what +
                                " with each other; must remove or rewrite one of these paths; "
                                "path one: " +
                                path_text(one) + ", path two: " + path_text(two));
  };
  for (size_t two = 1; two < paths.size(); ++two) {
    for (size_t one = 0; one < two; ++one) {
      const Path& a = *paths[one];
      const Path& b = *paths[two];
      const size_t shorter = std::min(a.size(), b.size());
      size_t same = 0;
      while (same < shorter && a[same] == b[same]) ++same;
      if (same == shorter) return describe("overlap", a, b);
      if (a[same].index.has_value() != b[same].index.has_value() && !conflict) {
        conflict = describe("conflict", a, b);
      }
    }
  }
  if (conflict) return *std::move(conflict);
  return {};
}

}  // namespace millrace
