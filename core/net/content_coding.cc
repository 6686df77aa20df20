#include "core/net/content_coding.h"

#include <libdeflate.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/net/header_text.h"

namespace millrace {
namespace {

// The quickest: answers are compressed on the io thread, and only for clients that ask.
constexpr int kLevel = 1;

// No byte of deflate makes more.
constexpr size_t kRatioMax = 1032;

constexpr size_t kRoomMin = 4096;

struct FreeDecompressor {
  void operator()(libdeflate_decompressor* p) const { libdeflate_free_decompressor(p); }
};
struct FreeCompressor {
  void operator()(libdeflate_compressor* p) const { libdeflate_free_compressor(p); }
};

libdeflate_decompressor* decompressor() {
  thread_local std::unique_ptr<libdeflate_decompressor, FreeDecompressor> own(
      libdeflate_alloc_decompressor());
  CHECK(own != nullptr);
  return own.get();
}

libdeflate_compressor* compressor() {
  thread_local std::unique_ptr<libdeflate_compressor, FreeCompressor> own(
      libdeflate_alloc_compressor(kLevel));
  CHECK(own != nullptr);
  return own.get();
}

/// What the last member says of its decoded size: exact where there is one and it does not lie.
size_t guess_plain_bytes(std::string_view packed) {
  if (packed.size() < sizeof(uint32_t)) return 0;
  const size_t said = get_fixed32(packed.data() + packed.size() - sizeof(uint32_t));
  return std::min(said, packed.size() * kRatioMax);
}

/// Of an element's parameters: the first `q`, from 0 to 1.
double weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view value = next_element(parameters, ';');
    if (!equals_ignoring_case(next_element(value, '='), "q")) continue;
    value = trimmed(value);
    double weight = 0;
    const char* const end = value.data() + value.size();
    const auto [parsed_to, error] = std::from_chars(value.data(), end, weight);
    const bool number = error == std::errc() && parsed_to == end && std::isfinite(weight);
    return number ? std::clamp(weight, 0.0, 1.0) : 1;
  }
  return 1;
}

}  // namespace

ContentCoding accepted_coding(std::string_view accept_encoding) {
  struct Offer {
    ContentCoding coding;
    std::string_view name;
    bool named = false;
    double weight = 0;
  };
  Offer gzip{ContentCoding::kGzip, "gzip"}, deflate{ContentCoding::kDeflate, "deflate"};
  const Offer* first_named = nullptr;
  double weight_of_others = 0;
  while (!accept_encoding.empty()) {
    std::string_view parameters = next_element(accept_encoding);
    const std::string_view name = next_element(parameters, ';');
    if (name == "*") weight_of_others = std::max(weight_of_others, weight_of(parameters));
    for (Offer* offer : {&gzip, &deflate}) {
      if (!equals_ignoring_case(name, offer->name)) continue;
      offer->named = true;
      offer->weight = std::max(offer->weight, weight_of(parameters));
      if (first_named == nullptr) first_named = offer;
    }
  }
  for (Offer* offer : {&gzip, &deflate}) {
    if (!offer->named) offer->weight = weight_of_others;
  }
  const Offer& first = first_named != nullptr ? *first_named : gzip;
  const Offer& second = &first == &gzip ? deflate : gzip;
  const Offer& best = second.weight > first.weight ? second : first;
  return best.weight > 0 ? best.coding : ContentCoding::kIdentity;
}

void encode(ContentCoding coding, std::string_view plain, std::string& out) {
  CHECK(coding != ContentCoding::kIdentity);
  const bool gzip = coding == ContentCoding::kGzip;
  const auto bound = gzip ? libdeflate_gzip_compress_bound : libdeflate_zlib_compress_bound;
  const auto compress = gzip ? libdeflate_gzip_compress : libdeflate_zlib_compress;
  const size_t before = out.size();
  out.resize(before + bound(compressor(), plain.size()));
  const size_t size =
      compress(compressor(), plain.data(), plain.size(), out.data() + before, out.size() - before);
  CHECK(size > 0);
  out.resize(before + size);
}

GunzipOutcome gunzip(std::string_view packed, size_t plain_bytes_max, std::string& out) {
  const size_t before = out.size();
  size_t plain = 0;
  size_t room = std::min(guess_plain_bytes(packed), plain_bytes_max);
  out.resize(before + room);
  do {
    size_t used = 0, made = 0;
    const libdeflate_result result =
        libdeflate_gzip_decompress_ex(decompressor(), packed.data(), packed.size(),
                                      out.data() + before + plain, room - plain, &used, &made);
    if (result == LIBDEFLATE_SUCCESS) {
      packed.remove_prefix(used);
      plain += made;
    } else if (result == LIBDEFLATE_INSUFFICIENT_SPACE && room < plain_bytes_max) {
      room = std::min(std::max(2 * room, kRoomMin), plain_bytes_max);
      out.resize(before + room);
    } else {
      out.resize(before);
      return result == LIBDEFLATE_INSUFFICIENT_SPACE ? GunzipOutcome::kTooLarge
                                                     : GunzipOutcome::kBad;
    }
  } while (!packed.empty());
  out.resize(before + plain);
  return GunzipOutcome::kDone;
}

uint32_t crc32(std::string_view bytes) { return libdeflate_crc32(0, bytes.data(), bytes.size()); }

}  // namespace millrace
