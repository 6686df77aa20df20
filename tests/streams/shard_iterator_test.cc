#include "streams/shard_iterator.h"

#include <gtest/gtest.h>

#include "core/base/random.h"

namespace millrace::streams {
namespace {

constexpr int64_t kNow = 1'790'000'000'123;

ShardIterator some_iterator() {
  return {1'800'000'000'000'000,
          1'800'000'000'000'007,
          3,
          ShardIterator::Kind::kPosition,
          1'800'000'000'000'009,
          0,
          kNow};
}

void expect_invalid(const Result<ShardIterator>& opened) {
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kValidation);
  EXPECT_EQ(opened.error().message, "Invalid ShardIterator");
}

TEST(IteratorSigner, OpensWhatItSealed) {
  IteratorSigner signer(std::string(32, 'k'));
  ShardIterator iterator = some_iterator();
  std::string text = signer.seal(iterator);
  EXPECT_LE(text.size(), 2048u);
  auto opened = signer.open(text, kNow);
  ASSERT_TRUE(opened);
  EXPECT_EQ(*opened, iterator);
}

// Clients hold them over a restart, so a restarted release opens them too.
TEST(IteratorSigner, GoldenText) {
  EXPECT_EQ(IteratorSigner(std::string(32, 'k')).seal(some_iterator()),
            "AQCAmCgXZQYAB4CYKBdlBgADAAAAAQmAmCgXZQYAAAAAAAAAAAB7bFDEoAEAAMXFdGe5HE+v71VL1nUEOOg=");
}

TEST(IteratorSigner, ExpiresAfterFifteenMinutes) {
  IteratorSigner signer(std::string(32, 'k'));
  std::string text = signer.seal(some_iterator());
  EXPECT_TRUE(signer.open(text, kNow + 15 * 60 * 1000));
  auto late = signer.open(text, kNow + 15 * 60 * 1000 + 1);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kExpiredIterator);
  EXPECT_EQ(late.error().message, "The provided iterator exceeds the maximum age allowed.");
}

TEST(IteratorSigner, RefusesWhatItDidNotIssue) {
  IteratorSigner signer(std::string(32, 'k'));
  std::string text = signer.seal(some_iterator());
  expect_invalid(IteratorSigner(std::string(32, 'j')).open(text, kNow));
  for (size_t i = 0; i < text.size(); ++i) {
    std::string forged = text;
    forged[i] = forged[i] == 'A' ? 'B' : 'A';
    expect_invalid(signer.open(forged, kNow));
    expect_invalid(signer.open(text.substr(0, i), kNow));
  }
  Random random(7);
  for (int i = 0; i < 1000; ++i) {
    std::string noise(random.below(200), '\0');
    for (char& c : noise) c = static_cast<char>(random.next());
    expect_invalid(signer.open(noise, kNow));
  }
}

}  // namespace
}  // namespace millrace::streams
