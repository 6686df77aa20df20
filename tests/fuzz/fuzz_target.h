#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// libFuzzer's entry point: tries one input, aborts if something is wrong.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

/// Good inputs, from which the driver without libFuzzer makes its own.
std::vector<std::string> fuzz_seeds();
