#include "streams/shard_iterator.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/base/bytes.h"
#include "core/model/item_json.h"

namespace millrace::streams {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kPayloadBytes = 1 + 8 + 8 + 4 + 1 + 8 + 8 + 8;
constexpr size_t kMacBytes = 16;

Error invalid() { return validation_error("Invalid ShardIterator"); }

}  // namespace

IteratorSigner::IteratorSigner(std::string key) : key_(std::move(key)) { CHECK(key_.size() >= 16); }

std::string IteratorSigner::mac(std::string_view bytes) const {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
             reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest,
             &size) != nullptr);
  return std::string(reinterpret_cast<char*>(digest), kMacBytes);
}

std::string IteratorSigner::seal(const ShardIterator& iterator) const {
  std::string bytes;
  bytes.push_back(static_cast<char>(kVersion));
  put_fixed64(bytes, iterator.generation);
  put_fixed64(bytes, iterator.enabled_at);
  put_fixed32(bytes, iterator.ordinal);
  bytes.push_back(static_cast<char>(iterator.kind));
  put_fixed64(bytes, iterator.from);
  put_fixed64(bytes, static_cast<uint64_t>(iterator.not_before_ms));
  put_fixed64(bytes, static_cast<uint64_t>(iterator.issued_ms));
  bytes += mac(bytes);
  std::string text;
  render_base64(bytes, text);
  return text;
}

Result<ShardIterator> IteratorSigner::open(std::string_view text, int64_t now_ms,
                                           int64_t expired_through_ms) const {
  std::string bytes;
  if (!parse_base64(text, bytes) || bytes.size() != kPayloadBytes + kMacBytes) return invalid();
  std::string_view payload = std::string_view(bytes).substr(0, kPayloadBytes);
  if (CRYPTO_memcmp(bytes.data() + kPayloadBytes, mac(payload).data(), kMacBytes) != 0) {
    return invalid();
  }
  ByteReader reader(payload);
  ShardIterator iterator;
  uint8_t version, kind;
  uint64_t not_before, issued;
  if (!reader.u8(version) || version != kVersion || !reader.fixed64(iterator.generation) ||
      !reader.fixed64(iterator.enabled_at) || !reader.fixed32(iterator.ordinal) ||
      !reader.u8(kind) || kind < 1 || kind > 3 || !reader.fixed64(iterator.from) ||
      !reader.fixed64(not_before) || !reader.fixed64(issued)) {
    return invalid();
  }
  iterator.kind = static_cast<ShardIterator::Kind>(kind);
  iterator.not_before_ms = static_cast<int64_t>(not_before);
  iterator.issued_ms = static_cast<int64_t>(issued);
  if (now_ms - iterator.issued_ms > kLifeMs || iterator.issued_ms <= expired_through_ms) {
    return make_error(ErrorCode::kExpiredIterator,
                      "The provided iterator exceeds the maximum age allowed.");
  }
  return iterator;
}

}  // namespace millrace::streams
