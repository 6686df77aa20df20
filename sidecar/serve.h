#pragma once

#include "core/base/result.h"
#include "sidecar/config.h"

namespace millrace::sidecar {

/// Runs the sidecar until SIGTERM or SIGINT, then drains it; a second signal ends the process at
/// once. To be called once, from the main thread, before any other thread runs. The error says why
/// it could not start.
Status serve(const Config& config);

}  // namespace millrace::sidecar
