#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

/// RFC 9110, 8.4.1. Requests come in gzip only, as SDKs send them.
enum class ContentCoding : uint8_t { kIdentity, kDeflate, kGzip };

/// The one of an Accept-Encoding that the service answers in: the greatest weight; of equal ones
/// what is named first, then what only `*` covers, gzip first. Identity only if neither has a
/// weight above 0. A weight that is no number is 1.
ContentCoding accepted_coding(std::string_view accept_encoding);

/// Appends `plain` in `coding`, which is not the identity.
void encode(ContentCoding coding, std::string_view plain, std::string& out);

enum class GunzipOutcome : uint8_t { kDone, kBad, kTooLarge };

/// Appends what gzip members, one behind the other, hold in all: `plain_bytes_max` at most, and
/// never twice as much memory. Anything behind them is bad. `out` is as before unless it is kDone.
GunzipOutcome gunzip(std::string_view packed, size_t plain_bytes_max, std::string& out);

/// CRC-32 as gzip's and X-Amz-Crc32's.
uint32_t crc32(std::string_view bytes);

}  // namespace millrace
