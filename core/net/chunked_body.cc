#include "core/net/chunked_body.h"

#include <algorithm>

namespace millrace {
namespace {

// Nobody needs extensions or trailers here: enough for a signature of each chunk's end.
constexpr size_t kIgnoredBytesMax = 16 * 1024;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) {
  const auto u = static_cast<uint8_t>(c);
  return (u < 0x20 && u != '\t') || u == 0x7f;
}

}  // namespace

/// One byte outside the data; false if it is not allowed there.
bool ChunkedBody::take(char c) {
  switch (at_) {
    case At::kSize:
    case At::kSizeDigits: {
      const int digit = hex_digit(c);
      if (digit >= 0) {
        if (++size_digits_ > 16) return false;
        chunk_left_ = chunk_left_ << 4 | static_cast<uint64_t>(digit);
        at_ = At::kSizeDigits;
        return true;
      }
      if (at_ == At::kSize) return false;
      at_ = c == '\r' ? At::kSizeLf : At::kExtension;
      return c == '\r' || c == ';' || c == ' ' || c == '\t';
    }
    case At::kExtension:
      if (c == '\r') {
        at_ = At::kSizeLf;
        return true;
      }
      return !is_control(c) && ++ignored_bytes_ <= kIgnoredBytesMax;
    case At::kSizeLf:
      at_ = chunk_left_ == 0 ? At::kTrailerStart : At::kData;
      return c == '\n';
    case At::kDataCr:
      at_ = At::kDataLf;
      return c == '\r';
    case At::kDataLf:
      at_ = At::kSize;
      size_digits_ = 0;
      return c == '\n';
    case At::kTrailerStart:
    case At::kTrailer:
      if (c == '\r') {
        at_ = at_ == At::kTrailerStart ? At::kEndLf : At::kTrailerLf;
        return true;
      }
      at_ = At::kTrailer;
      return !is_control(c) && ++ignored_bytes_ <= kIgnoredBytesMax;
    case At::kTrailerLf:
      at_ = At::kTrailerStart;
      return c == '\n';
    case At::kEndLf:
      at_ = At::kEnd;
      return c == '\n';
    case At::kData:
    case At::kEnd:
      break;
  }
  return false;
}

ChunkedBody::Outcome ChunkedBody::feed(std::string_view bytes, size_t& used) {
  used = 0;
  while (used < bytes.size() && at_ != At::kEnd) {
    if (at_ == At::kData) {
      const size_t take_now = std::min<uint64_t>(chunk_left_, bytes.size() - used);
      body_.append(bytes.substr(used, take_now));
      used += take_now;
      chunk_left_ -= take_now;
      if (chunk_left_ == 0) at_ = At::kDataCr;
      continue;
    }
    if (!take(bytes[used])) return Outcome::kBad;
    ++used;
    // Refused when the size is known, before its data is held.
    if (at_ == At::kData && chunk_left_ > body_bytes_max_ - body_.size()) return Outcome::kTooLarge;
  }
  return at_ == At::kEnd ? Outcome::kDone : Outcome::kMore;
}

}  // namespace millrace
