#include "sidecar/event_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "core/model/item_json.h"

namespace millrace::sidecar {
namespace {

LogFormat chosen_format = LogFormat::kText;

void append_text_value(std::string_view value, std::string& out) {
  bool plain = !value.empty();
  for (char c : value) plain = plain && c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
  if (plain) {
    out.append(value);
  } else {
    render_json_string(value, out);
  }
}

spdlog::level::level_enum level_of(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return spdlog::level::info;
    case Severity::kWarning:
      return spdlog::level::warn;
    case Severity::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

void start_event_log(LogFormat format) {
  chosen_format = format;
  auto logger = std::make_shared<spdlog::logger>("millrace",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  const char* pattern = format == LogFormat::kJson
                            ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                            : "time=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v";
  logger->set_pattern(pattern, spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

std::string event_text(LogFormat format, std::string_view event,
                       std::initializer_list<EventField> fields) {
  std::string text;
  if (format == LogFormat::kJson) {
    text += "\"event\":";
    render_json_string(event, text);
    for (const EventField& field : fields) {
      text += ',';
      render_json_string(field.key, text);
      text += ':';
      render_json_string(field.value, text);
    }
    return text;
  }
  text += "event=";
  append_text_value(event, text);
  for (const EventField& field : fields) {
    text += ' ';
    text += field.key;
    text += '=';
    append_text_value(field.value, text);
  }
  return text;
}

void log_event(Severity severity, std::string_view event,
               std::initializer_list<EventField> fields) {
  // The text goes in as an argument: it may hold braces.
  spdlog::default_logger_raw()->log(level_of(severity), spdlog::string_view_t("{}"),
                                    event_text(chosen_format, event, fields));
}

}  // namespace millrace::sidecar
