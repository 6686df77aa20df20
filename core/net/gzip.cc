#include "core/net/gzip.h"

#include <libdeflate.h>

#include <memory>

#include "core/base/bytes.h"
#include "core/base/check.h"

namespace millrace {
namespace {

// The quickest: answers are compressed on the io thread, and only for clients that ask.
constexpr int kLevel = 1;

// The smallest gzip member: header, an empty block, trailer.
constexpr size_t kMemberBytesMin = 20;

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

}  // namespace

GunzipOutcome gunzip(std::string_view compressed, size_t out_bytes_max, std::string& out) {
  if (compressed.size() < kMemberBytesMin || !compressed.starts_with("\x1f\x8b\x08")) {
    return GunzipOutcome::kBad;
  }
  // A member ends with its decoded size. A lie makes it bad: too small does not fit, too large is
  // told by the decoder, which is asked for exactly this size.
  const size_t size = get_fixed32(compressed.data() + compressed.size() - 4);
  if (size > out_bytes_max) return GunzipOutcome::kTooLarge;
  const size_t before = out.size();
  out.resize(before + size);
  size_t used = 0;
  const libdeflate_result result =
      libdeflate_gzip_decompress_ex(decompressor(), compressed.data(), compressed.size(),
                                    out.data() + before, size, &used, nullptr);
  if (result == LIBDEFLATE_SUCCESS && used == compressed.size()) return GunzipOutcome::kDone;
  out.resize(before);
  return GunzipOutcome::kBad;
}

void gzip(std::string_view plain, std::string& out) {
  const size_t before = out.size();
  out.resize(before + libdeflate_gzip_compress_bound(compressor(), plain.size()));
  const size_t size = libdeflate_gzip_compress(compressor(), plain.data(), plain.size(),
                                               out.data() + before, out.size() - before);
  CHECK(size > 0);
  out.resize(before + size);
}

uint32_t crc32(std::string_view bytes) { return libdeflate_crc32(0, bytes.data(), bytes.size()); }

}  // namespace millrace
