#include "sidecar/tail.h"

#include <simdjson.h>

#include <cstdio>
#include <ctime>
#include <map>
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

std::string shown(dom::element value) {
  std::string text;
  append_value(value, text);
  if (text.size() <= kValueBytesMax) return text;
  size_t end = kValueBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;  // whole characters
  return text.substr(0, end) + "…";
}

using Attributes = std::map<std::string_view, dom::element>;

Attributes attributes_of(dom::element change, const char* image) {
  Attributes attributes;
  dom::object object;
  if (change[image].get(object)) return attributes;
  for (auto [name, value] : object) attributes.emplace(name, value);
  return attributes;
}

void append_line(const char* color, const char* mark, std::string_view name,
                 const std::string& text, const Palette& colors, std::string& out) {
  out.append("    ").append(color).append(mark).append(" ");
  append_name(name, out);
  out.append(": ").append(text).append(colors.end).append("\n");
}

void append_difference(dom::element change, const Palette& colors, std::string& out) {
  Attributes before = attributes_of(change, "old");
  Attributes after = attributes_of(change, "new");
  if (before.empty()) return;  // the table kept no old images then
  for (const auto& [name, value] : before) {
    auto now = after.find(name);
    if (now == after.end()) {
      append_line(colors.removed, "-", name, shown(value), colors, out);
    } else if (simdjson::minify(value) != simdjson::minify(now->second)) {
      append_line(colors.changed, "~", name, shown(value) + " → " + shown(now->second), colors,
                  out);
    }
  }
  for (const auto& [name, value] : after) {
    if (!before.contains(name)) append_line(colors.added, "+", name, shown(value), colors, out);
  }
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
  if (parser.parse(line.data(), line.size()).get(change) || change["event"].get(event) ||
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
  std::string target = "/v1/changes?table=" + AdminClient::percent_encode(options.table) +
                       "&from=" + AdminClient::percent_encode(options.from);
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
