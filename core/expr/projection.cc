#include <algorithm>
#include <span>

#include "core/base/bytes.h"
#include "core/expr/ast.h"
#include "core/expr/bind.h"
#include "core/expr/expression.h"
#include "core/expr/parser.h"
#include "core/expr/paths.h"

namespace millrace {
namespace {

// Paths in order, which agree in their first `depth` steps.
using Paths = std::span<const Path* const>;

// Cuts off the front paths that agree in the step at `depth`.
Paths take_group(Paths& paths, size_t depth) {
  const PathElement& step = (*paths[0])[depth];
  size_t size = 1;
  while (size < paths.size() && (*paths[size])[depth] == step) ++size;
  const Paths group = paths.first(size);
  paths = paths.subspan(size);
  return group;
}

size_t select_entries(MapView entries, Paths paths, size_t depth, std::string& out);

// Appends what `paths`, whose first `depth` steps lead to `value`, select of it; false if nothing.
bool select_value(ValueView value, Paths paths, size_t depth, std::string& out) {
  if (paths[0]->size() == depth) {
    out.append(value.encoded());
    return true;
  }
  std::string content;
  size_t count = 0;
  if (value.type() == ValueType::kMap) {
    count = select_entries(value.map(), paths, depth, content);
  } else if (value.type() == ValueType::kList) {
    size_t index = 0;
    for (ValueView element : value.list()) {
      while (!paths.empty() && (*paths[0])[depth].index.value_or(0) < index) {
        take_group(paths, depth);
      }
      if (paths.empty()) break;
      if ((*paths[0])[depth].index == index) {
        count += select_value(element, take_group(paths, depth), depth + 1, content);
      }
      ++index;
    }
  }
  if (count == 0) return false;
  std::string counted;
  put_varint(counted, count);
  out.push_back(static_cast<char>(value.type()));
  put_varint(out, counted.size() + content.size());
  out.append(counted).append(content);
  return true;
}

// Appends the selected entries and returns how many they are. Entries and paths are both in order
// of names.
size_t select_entries(MapView entries, Paths paths, size_t depth, std::string& out) {
  size_t count = 0;
  for (const MapView::Entry entry : entries) {
    while (!paths.empty() && (*paths[0])[depth].name < entry.name) take_group(paths, depth);
    if (paths.empty()) break;
    const PathElement& step = (*paths[0])[depth];
    if (step.index || step.name != entry.name) continue;
    const size_t start = out.size();
    put_length_prefixed(out, entry.name);
    if (select_value(entry.value, take_group(paths, depth), depth + 1, out)) {
      ++count;
    } else {
      out.resize(start);
    }
  }
  return count;
}

}  // namespace

std::string select_paths(ItemView item, const std::vector<Path>& paths) {
  std::vector<const Path*> sorted;
  sorted.reserve(paths.size());
  for (const Path& path : paths) sorted.push_back(&path);
  const auto before = [](const Path* a, const Path* b) { return path_before(*a, *b); };
  if (!std::is_sorted(sorted.begin(), sorted.end(), before)) {
    std::sort(sorted.begin(), sorted.end(), before);
  }
  std::string entries;
  const size_t count = select_entries(item.attributes(), sorted, 0, entries);
  std::string out;
  out.reserve(entries.size() + 2);
  put_varint(out, count);
  out.append(entries);
  return out;
}

Result<Projection> Projection::parse(std::string_view text, Bindings& bindings) {
  ASSIGN_OR_RETURN(std::vector<Operand> operands,
                   Parser(text, "ProjectionExpression").projection());
  RETURN_IF_ERROR(bind_projection(operands, bindings));
  Projection projection;
  for (Operand& operand : operands) projection.paths_.push_back(std::move(operand.path));
  std::sort(projection.paths_.begin(), projection.paths_.end(), path_before);
  return projection;
}

Projection Projection::of_names(std::vector<std::string> names) {
  Projection projection;
  std::sort(names.begin(), names.end());
  for (std::string& name : names) projection.paths_.push_back({PathElement{std::move(name), {}}});
  return projection;
}

std::string Projection::apply(ItemView item) const { return select_paths(item, paths_); }

}  // namespace millrace
