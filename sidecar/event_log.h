#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "sidecar/config.h"

namespace millrace::sidecar {

enum class Severity : uint8_t { kInfo, kWarning, kError };

struct EventField {
  std::string_view key;
  std::string value;
};

/// From now on events go to standard error in this form. Call it once, before any other thread
/// runs.
void start_event_log(LogFormat format);

/// Writes one line: `time=... level=info event="serving" address=127.0.0.1:8000`, or the same as an
/// object of JSON. Thread-safe. For what an operator wants to know, never for each request.
void log_event(Severity severity, std::string_view event,
               std::initializer_list<EventField> fields = {});

/// The line's part after time and level, in the given form.
std::string event_text(LogFormat format, std::string_view event,
                       std::initializer_list<EventField> fields);

}  // namespace millrace::sidecar
