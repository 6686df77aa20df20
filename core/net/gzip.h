#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

enum class GunzipOutcome : uint8_t { kDone, kBad, kTooLarge };

/// Appends to `out` what a gzip member of at most `out_bytes_max` decoded bytes holds; never
/// allocates more than that. More than one member, or anything behind it, is bad.
GunzipOutcome gunzip(std::string_view compressed, size_t out_bytes_max, std::string& out);

/// Appends one gzip member.
void gzip(std::string_view plain, std::string& out);

/// CRC-32 as gzip's and X-Amz-Crc32's.
uint32_t crc32(std::string_view bytes);

}  // namespace millrace
