#include "sidecar/tail.h"

#include <simdjson.h>

#include <cstdio>
#include <ctime>
#include <map>
#include <set>
#include <vector>

#include "core/model/item_json.h"
#include "core/net/admin_client.h"

namespace millrace::sidecar {
namespace {

namespace dom = simdjson::dom;

// A value longer than this on the screen says less than its beginning.
constexpr size_t kValueBytesMax = 160;

struct Palette {
  const char* dim = "";
  const char* added = "";
  const char* changed = "";
  const char* removed = "";
  const char* name = "";
  const char* end = "";
};

Palette palette(bool color) {
  if (!color) return {};
  return {"\033[2m", "\033[32m", "\033[33m", "\033[31m", "\033[36m", "\033[0m"};
}

void append_name(std::string_view name, std::string& out) {
  bool plain = !name.empty();
  for (char c : name)
    plain =
        plain && (std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.');
  if (plain) {
    out.append(name);
  } else {
    render_json_string(name, out);
  }
}

void append_value(dom::element value, std::string& out);

void append_scalar(std::string_view type, dom::element element, std::string& out) {
  std::string_view text;
  if (element.get(text)) return;
  if (type == "N" || type == "NS") {
    out.append(text);
  } else if (type == "B" || type == "BS") {
    out.append("b64\"").append(text).append("\"");
  } else {
    render_json_string(text, out);  // also keeps control characters off the terminal
  }
}

void append_list(std::string_view type, dom::element content, std::string& out) {
  dom::array elements;
  if (content.get(elements)) return;
  out += type == "L" ? '[' : '{';
  bool first = true;
  for (dom::element element : elements) {
    if (!first) out += ", ";
    first = false;
    if (type == "L") {
      append_value(element, out);
    } else {
      append_scalar(type, element, out);
    }
  }
  out += type == "L" ? ']' : '}';
}

/// An attribute value, `{"S":"..."}`, as a person would write it.
void append_value(dom::element value, std::string& out) {
  dom::object object;
  if (value.get(object) || object.begin() == object.end()) return;
  std::string_view type = (*object.begin()).key;
  dom::element content = (*object.begin()).value;
  if (type == "NULL") {
    out += "null";
  } else if (type == "BOOL") {
    bool truth = false;
    if (content.get(truth)) return;
    out += truth ? "true" : "false";
  } else if (type == "M") {
    dom::object entries;
    if (content.get(entries)) return;
    out += '{';
    bool first = true;
    for (auto [name, entry] : entries) {
      if (!first) out += ", ";
      first = false;
      append_name(name, out);
      out += ": ";
      append_value(entry, out);
    }
    out += '}';
  } else if (type == "L" || type == "SS" || type == "NS" || type == "BS") {
    append_list(type, content, out);
  } else {
    append_scalar(type, content, out);
  }
}

std::string cut(std::string text) {
  if (text.size() <= kValueBytesMax) return text;
  size_t end = kValueBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;  // whole characters
  return text.substr(0, end) + "…";
}

std::string shown(dom::element value) {
  std::string text;
  append_value(value, text);
  return cut(std::move(text));
}

using Attributes = std::map<std::string_view, dom::element>;

Attributes attributes_of(dom::element change, const char* image) {
  Attributes attributes;
  dom::object object;
  if (change[image].get(object)) return attributes;
  for (auto [name, value] : object) attributes.emplace(name, value);
  return attributes;
}

/// Writes how one image differs from another, a line for each place within them.
class Difference {
 public:
  Difference(const Palette& colors, std::string& out) : colors_(colors), out_(out) {}

  void attributes(const Attributes& before, const Attributes& after, const std::string& under) {
    for (const auto& [name, value] : before) {
      auto now = after.find(name);
      const std::string place = under + (under.empty() ? "" : ".") + printed_name(name);
      if (now == after.end()) {
        line(colors_.removed, "-", place, shown(value));
      } else {
        values(value, now->second, place);
      }
    }
    for (const auto& [name, value] : after) {
      if (before.contains(name)) continue;
      line(colors_.added, "+", under + (under.empty() ? "" : ".") + printed_name(name),
           shown(value));
    }
  }

 private:
  static std::string printed_name(std::string_view name) {
    std::string printed;
    append_name(name, printed);
    return printed;
  }

  void values(dom::element before, dom::element after, const std::string& place) {
    if (simdjson::minify(before) == simdjson::minify(after)) return;
    dom::array old_list, new_list;
    if (before["M"].is_object() && after["M"].is_object()) {
      attributes(attributes_of(before, "M"), attributes_of(after, "M"), place);
    } else if (!before["L"].get(old_list) && !after["L"].get(new_list)) {
      lists(old_list, new_list, place);
    } else {
      for (const char* type : {"SS", "NS", "BS"}) {
        if (!before[type].get(old_list) && !after[type].get(new_list))
          return sets(type, old_list, new_list, place);
      }
      line(colors_.changed, "~", place, shown(before) + " → " + shown(after));
    }
  }

  /// Element by element where they stand.
  void lists(dom::array before, dom::array after, const std::string& place) {
    auto old_element = before.begin(), new_element = after.begin();
    for (size_t i = 0; old_element != before.end() || new_element != after.end(); ++i) {
      const std::string at = place + "[" + std::to_string(i) + "]";
      if (old_element == before.end()) {
        line(colors_.added, "+", at, shown(*new_element));
      } else if (new_element == after.end()) {
        line(colors_.removed, "-", at, shown(*old_element));
      } else {
        values(*old_element, *new_element, at);
      }
      if (old_element != before.end()) ++old_element;
      if (new_element != after.end()) ++new_element;
    }
  }

  void sets(std::string_view type, dom::array before, dom::array after, const std::string& place) {
    std::set<std::string> old_elements = printed_elements(type, before);
    std::set<std::string> new_elements = printed_elements(type, after);
    std::string text;
    for (const auto& element : old_elements) {
      if (!new_elements.contains(element)) text += " -" + element;
    }
    for (const auto& element : new_elements) {
      if (!old_elements.contains(element)) text += " +" + element;
    }
    if (!text.empty()) line(colors_.changed, "~", place, cut(text.substr(1)));
  }
  static std::set<std::string> printed_elements(std::string_view type, dom::array elements) {
    std::set<std::string> printed;
    for (dom::element element : elements) {
      std::string text;
      append_scalar(type, element, text);
      printed.insert(std::move(text));
    }
    return printed;
  }

  void line(const char* color, const char* mark, const std::string& place,
            const std::string& text) {
    out_.append("    ").append(color).append(mark).append(" ").append(place);
    out_.append(": ").append(text).append(colors_.end).append("\n");
  }

  const Palette& colors_;
  std::string& out_;
};

void append_difference(dom::element change, const Palette& colors, std::string& out) {
  const Attributes before = attributes_of(change, "old");
  if (before.empty()) return;  // the table kept no old images then
  Difference(colors, out).attributes(before, attributes_of(change, "new"), "");
}

void append_time(int64_t time_ms, std::string& out) {
  time_t seconds = static_cast<time_t>(time_ms / 1000);
  tm parts{};
  localtime_r(&seconds, &parts);
  char text[32];
  size_t size = std::strftime(text, sizeof text, "%H:%M:%S", &parts);
  out.append(text, size);
  std::snprintf(text, sizeof text, ".%03d", static_cast<int>(time_ms % 1000));
  out.append(text);
}

}  // namespace

Result<std::string> describe_change(std::string_view line, bool color) {
  thread_local dom::parser parser;
  Palette colors = palette(color);
  dom::element change;
  std::string_view event, table;
  int64_t time_ms;
  dom::object keys;
  if (parser.parse(simdjson::padded_string(line)).get(change) || change["event"].get(event) ||
      change["table"].get(table) || change["time"].get(time_ms) || change["keys"].get(keys)) {
    return make_error(ErrorCode::kCorruption,
                      "the sidecar sent what is no change: " + std::string(line.substr(0, 200)));
  }
  std::string out = colors.dim;
  append_time(time_ms, out);
  out += colors.end;
  out += "  ";
  out += event == "INSERT" ? colors.added : event == "REMOVE" ? colors.removed : colors.changed;
  out.append(event).append(colors.end).append("  ").append(table);
  for (auto [name, value] : keys) {
    out.append("  ").append(colors.name);
    append_name(name, out);
    out.append(colors.end).append("=").append(shown(value));
  }
  std::string_view identity;
  if (!change["identity"].get(identity)) out.append("  by ").append(identity);
  out += "\n";
  if (event == "MODIFY") append_difference(change, colors, out);
  return out;
}

Status tail(const TailOptions& options) {
  AdminClientOptions client_options;
  client_options.host = options.admin.host;
  client_options.port = options.admin.port;
  AdminClient client(client_options);
  std::string tables;
  for (const std::string& table : options.tables) {
    if (!tables.empty()) tables += ',';
    tables += AdminClient::percent_encode(table);
  }
  std::string target =
      "/v1/changes?table=" + tables + "&from=" + AdminClient::percent_encode(options.from);
  if (!options.filter.empty()) target += "&filter=" + AdminClient::percent_encode(options.filter);
  Status problem;
  Status streamed = client.stream(target, [&](std::string_view line) {
    constexpr std::string_view kError = "{\"error\":";
    std::string text;
    if (line.starts_with(kError)) {
      problem = make_error(ErrorCode::kUnavailable, "the stream ended: " + std::string(line));
      return false;
    }
    if (options.json) {
      text.append(line).append("\n");
    } else {
      Result<std::string> described = describe_change(line, options.color);
      if (!described) {
        problem = described.error();
        return false;
      }
      text = std::move(described).value();
    }
    // A pipe's reader gets each change when it happens. Without a reader there is nothing left to
    // do.
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
           std::fflush(stdout) == 0;
  });
  return problem ? streamed : problem;
}

}  // namespace millrace::sidecar
