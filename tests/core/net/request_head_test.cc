#include "core/net/request_head.h"

#include <gtest/gtest.h>

#include <iostream>
#include <random>
#include <string>

namespace millrace {
namespace {

HeadOutcome parse(std::string_view bytes, RequestHead& head, int& status) {
  return parse_request_head(bytes, head, status);
}

/// The status a head is refused with; 0 if it is good, -1 if incomplete.
int refused(std::string_view bytes) {
  RequestHead head;
  int status = 0;
  switch (parse(bytes, head, status)) {
    case HeadOutcome::kComplete:
      return 0;
    case HeadOutcome::kIncomplete:
      return -1;
    case HeadOutcome::kBad:
      return status;
  }
  return -2;
}

std::string with(std::string_view headers) {
  return "POST / HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n";
}

TEST(RequestHead, TakesWhatAnSdkSends) {
  const std::string text =
      "POST /?a=b HTTP/1.1\r\nHost: localhost:8000\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n"
      "content-type:application/x-amz-json-1.0\r\nContent-Length:  12 \r\n"
      "Accept-Encoding: deflate, GZIP;q=0.5\r\nContent-Encoding: gzip\r\n"
      "ORIGIN: https://a.example\r\ntraceparent: 00-ab\r\nTraceparent: second\r\n\r\nrest";
  RequestHead head;
  int status = 0;
  ASSERT_EQ(parse(text, head, status), HeadOutcome::kComplete);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.query, "a=b");
  EXPECT_EQ(head.target, "DynamoDB_20120810.GetItem");
  EXPECT_EQ(head.content_type, "application/x-amz-json-1.0");
  EXPECT_EQ(head.origin, "https://a.example");
  EXPECT_EQ(head.traceparent, "00-ab");
  EXPECT_EQ(head.content_length, 12u);
  EXPECT_EQ(head.accepted_coding, ContentCoding::kDeflate);
  EXPECT_TRUE(head.gzip);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.size, text.size() - 4);
  EXPECT_EQ(find_header(head.raw_headers, "HOST"), "localhost:8000");
  EXPECT_EQ(find_header(head.raw_headers, "content-length"), "12");
  EXPECT_EQ(find_header(head.raw_headers, "content"), "");
}

TEST(RequestHead, EveryPrefixIsIncomplete) {
  const std::string text = with("Content-Length: 3\r\nX: y\r\n");
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(refused(std::string_view(text).substr(0, size)), -1) << size;
  }
  EXPECT_EQ(refused(text), 0);
}

TEST(RequestHead, RefusesWhatCouldBeReadInTwoWays) {
  EXPECT_EQ(refused(with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")), 400);
  EXPECT_EQ(refused(with("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n")), 400);
  EXPECT_EQ(refused(with("Content-Length: 3\r\nContent-Length: 3\r\n")), 400);
  EXPECT_EQ(refused(with("Content-Length: 3, 3\r\n")), 400);
  EXPECT_EQ(refused(with("Content-Length: +3\r\n")), 400);
  EXPECT_EQ(refused(with("Content-Length: 0x3\r\n")), 400);
  EXPECT_EQ(refused(with("Content-Length:\r\n")), 400);
  EXPECT_EQ(refused(with("Content-Length: 99999999999999999999\r\n")), 400);
  EXPECT_EQ(refused(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")), 400);
  EXPECT_EQ(refused(with("Transfer-Encoding: gzip, chunked\r\n")), 501);
  EXPECT_EQ(refused(with("Transfer-Encoding: xchunked\r\n")), 501);
  EXPECT_EQ(refused(with("Host: y\r\n")), 400);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(refused(with("Content-Length : 3\r\n")), 400);
  EXPECT_EQ(refused(with(" folded: 3\r\n")), 400);
  EXPECT_EQ(refused(with("X: a\r\n b\r\n")), 400);
  EXPECT_EQ(refused(with("X: a\rb\r\n")), 400);
  EXPECT_EQ(refused(with("X: a\nContent-Length: 3\r\n")), 400);
  EXPECT_EQ(refused(with(std::string("X: a\0b\r\n", 8))), 400);
  EXPECT_EQ(refused(with(": empty\r\n")), 400);
  EXPECT_EQ(refused(with("no colon\r\n")), 400);
}

TEST(RequestHead, RefusesBrokenRequestLines) {
  const std::string host = "Host: x\r\n\r\n";
  EXPECT_EQ(refused("GET / HTTP/2.0\r\n" + host), 505);
  EXPECT_EQ(refused("GET / HTTP/1.2\r\n" + host), 505);
  EXPECT_EQ(refused("GET / http/1.1\r\n" + host), 400);
  EXPECT_EQ(refused("GET /\r\n" + host), 400);
  EXPECT_EQ(refused("GET  / HTTP/1.1\r\n" + host), 400);
  EXPECT_EQ(refused("GET / a HTTP/1.1\r\n" + host), 400);
  EXPECT_EQ(refused("GE(T / HTTP/1.1\r\n" + host), 400);
  EXPECT_EQ(refused("GET \x01 HTTP/1.1\r\n" + host), 400);
  EXPECT_EQ(refused("GET relative HTTP/1.1\r\n" + host), 400);
  EXPECT_EQ(refused("\x16\x03\x01\r\n" + host), 400);
}

TEST(RequestHead, TakesAllFormsOfTarget) {
  const std::string end = " HTTP/1.1\r\nHost: x\r\n\r\n";
  RequestHead head;
  int status = 0;
  const std::string absolute = "GET http://host:1/a/b?c" + end;
  ASSERT_EQ(parse(absolute, head, status), HeadOutcome::kComplete);
  EXPECT_EQ(head.path, "/a/b");
  EXPECT_EQ(head.query, "c");
  const std::string bare = "GET http://host?c" + end;
  ASSERT_EQ(parse(bare, head, status), HeadOutcome::kComplete);
  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.query, "c");
  const std::string star = "OPTIONS *" + end;
  ASSERT_EQ(parse(star, head, status), HeadOutcome::kComplete);
  EXPECT_EQ(head.path, "*");
  EXPECT_EQ(refused("GET *" + end), 400);
}

TEST(RequestHead, KnowsWhenTheConnectionEnds) {
  RequestHead head;
  int status = 0;
  const auto keeps = [&](const std::string& text) {
    EXPECT_EQ(parse(text, head, status), HeadOutcome::kComplete);
    return head.keep_alive;
  };
  EXPECT_TRUE(keeps(with("")));
  EXPECT_FALSE(keeps(with("Connection: foo, Close\r\n")));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

TEST(RequestHead, TheLastAcceptedCodingCounts) {
  RequestHead head;
  int status = 0;
  parse(with("Accept-Encoding: identity\r\nACCEPT-ENCODING: br, gzip;q=0.1\r\n"), head, status);
  EXPECT_EQ(head.accepted_coding, ContentCoding::kGzip);
  parse(with("Accept-Encoding: gzip\r\nAccept-Encoding: identity\r\n"), head, status);
  EXPECT_EQ(head.accepted_coding, ContentCoding::kIdentity);
}

TEST(RequestHead, KnowsWhoWantsNoCachedAnswer) {
  RequestHead head;
  int status = 0;
  const auto forbids = [&](const std::string& headers) {
    const std::string text = with(headers);
    EXPECT_EQ(parse(text, head, status), HeadOutcome::kComplete);
    return head.no_cache;
  };
  EXPECT_TRUE(forbids("Cache-Control: no-cache\r\n"));
  EXPECT_TRUE(forbids("cache-control: max-age=0 , No-Store\r\n"));
  EXPECT_TRUE(forbids("Cache-Control: no-store\r\nCache-Control: max-age=1\r\n"));
  EXPECT_FALSE(forbids("Cache-Control: max-age=0\r\n"));
  EXPECT_FALSE(forbids("Cache-Control: no-cache-please\r\nPragma: no-cache\r\n"));
}

TEST(RequestHead, BoundsTheNumberOfHeaders) {
  std::string many;  // beside Host
  for (int i = 0; i < 99; ++i) many += "X: y\r\n";
  EXPECT_EQ(refused(with(many)), 0);
  EXPECT_EQ(refused(with(many + "X: y\r\n")), 400);
}

TEST(RequestHead, MutatedHeadsNeverReadOutside) {
  const uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  const std::string good =
      with("Content-Length: 3\r\nConnection: close\r\nExpect: 100-continue\r\n");
  for (int round = 0; round < 20000; ++round) {
    std::string text = good.substr(0, random() % (good.size() + 1));
    for (uint64_t edits = random() % 4; edits > 0 && !text.empty(); --edits) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    // Its own allocation, so that a sanitizer sees a read past the end.
    const std::vector<char> exact(text.begin(), text.end());
    RequestHead head;
    int status = 0;
    if (parse({exact.data(), exact.size()}, head, status) == HeadOutcome::kComplete) {
      EXPECT_LE(head.size, exact.size());
    }
  }
}

}  // namespace
}  // namespace millrace
