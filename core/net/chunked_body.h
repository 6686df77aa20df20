#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

/// Decodes a body in chunked transfer coding as its bytes arrive. Strict: CRLF line ends only, at
/// most 16 digits of size, extensions and trailers bounded and ignored.
class ChunkedBody {
 public:
  enum class Outcome : uint8_t { kMore, kDone, kBad, kTooLarge };

  explicit ChunkedBody(size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}

  /// Takes bytes from `bytes`; `used` is how many, all of them unless the body ended or is refused.
  Outcome feed(std::string_view bytes, size_t& used);
  /// What was decoded; the caller may append padding once it is done.
  std::string& body() { return body_; }

 private:
  enum class At : uint8_t {
    kSize,        // before a size's first digit
    kSizeDigits,  // within it
    kExtension,   // behind it, up to CR
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,  // at a trailer line's first byte
    kTrailer,
    kTrailerLf,
    kEndLf,
    kEnd,
  };
  bool take(char c);

  const size_t body_bytes_max_;
  At at_ = At::kSize;
  uint64_t chunk_left_ = 0;
  int size_digits_ = 0;
  size_t ignored_bytes_ = 0;  // of extensions and trailers
  std::string body_;
};

}  // namespace millrace
