#include "core/net/chunked_body.h"

#include <gtest/gtest.h>

#include <iostream>
#include <random>

namespace millrace {
namespace {

using Outcome = ChunkedBody::Outcome;

Outcome feed_all(ChunkedBody& body, std::string_view bytes, size_t& used) {
  return body.feed(bytes, used);
}

TEST(ChunkedBody, EndsWithItsLastChunkAndLeavesWhatFollows) {
  ChunkedBody body(1000);
  size_t used = 0;
  const std::string text = "5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n";
  ASSERT_EQ(feed_all(body, text + "POST", used), Outcome::kDone);
  EXPECT_EQ(used, text.size());
  EXPECT_EQ(body.body(), "hello!");
}

TEST(ChunkedBody, AnySplitGivesTheSame) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  for (int round = 0; round < 500; ++round) {
    std::string plain, coded;
    for (uint64_t chunks = random() % 5; chunks > 0; --chunks) {
      const std::string chunk(1 + random() % 40, static_cast<char>('a' + random() % 26));
      char size[24];
      snprintf(size, sizeof size, random() % 2 ? "%zx\r\n" : "%zX\r\n", chunk.size());
      coded += size + chunk + "\r\n";
      plain += chunk;
    }
    coded += "0\r\n\r\n";
    ChunkedBody body(1 << 20);
    size_t at = 0;
    Outcome outcome = Outcome::kMore;
    while (at < coded.size()) {
      ASSERT_EQ(outcome, Outcome::kMore);
      const size_t step = 1 + random() % 7;
      size_t used = 0;
      outcome = body.feed(std::string_view(coded).substr(at, step), used);
      at += used;
    }
    EXPECT_EQ(outcome, Outcome::kDone);
    EXPECT_EQ(body.body(), plain);
  }
}

TEST(ChunkedBody, RefusesLooseForms) {
  for (std::string_view text :
       {"\r\n", "g\r\n", "-1\r\n", "5\nhello\r\n", "5\r\nhelloX\r\n", "5\r\nhello\n0\r\n\r\n",
        "0\r\nX\n\r\n", "11111111111111111\r\n", " 5\r\n"}) {
    ChunkedBody body(1000);
    size_t used = 0;
    EXPECT_EQ(feed_all(body, text, used), Outcome::kBad) << text;
  }
}

TEST(ChunkedBody, RefusesTooMuchBeforeHoldingIt) {
  ChunkedBody body(10);
  size_t used = 0;
  EXPECT_EQ(feed_all(body, "8\r\n12345678\r\n3\r\n", used), Outcome::kTooLarge);
  ChunkedBody huge(10);
  EXPECT_EQ(feed_all(huge, "ffffffffffffffff\r\n", used), Outcome::kTooLarge);
  ChunkedBody trailers(10);
  EXPECT_EQ(feed_all(trailers, "0\r\n" + std::string(20000, 'a'), used), Outcome::kBad);
}

}  // namespace
}  // namespace millrace
