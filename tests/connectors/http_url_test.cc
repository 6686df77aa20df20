#include "connectors/http_url.h"

#include <gtest/gtest.h>

namespace millrace::connectors {
namespace {

TEST(HttpUrl, IsSplit) {
  struct Case {
    const char *text, *host;
    uint16_t port;
    const char *target, *whole;
  };
  for (const Case& each : {
           Case{"http://127.0.0.1:8080/a/b?c=d", "127.0.0.1", 8080, "/a/b?c=d",
                "http://127.0.0.1:8080/a/b?c=d"},
           Case{"http://receiver", "receiver", 80, "/", "http://receiver:80/"},
           Case{"http://[::1]:9/x", "::1", 9, "/x", "http://[::1]:9/x"},
           Case{"http://h:1?q", "h", 1, "/?q", "http://h:1/?q"},
       }) {
    Result<HttpUrl> url = parse_http_url(each.text);
    ASSERT_TRUE(url) << each.text;
    EXPECT_EQ(url->host, each.host);
    EXPECT_EQ(url->port, each.port);
    EXPECT_EQ(url->target, each.target);
    EXPECT_EQ(url->text(), each.whole);
  }
}

TEST(HttpUrl, WhatIsNoneIsRefusedWithAWayOut) {
  for (const char* text :
       {"", "http://", "http://:80/", "http://h:0/", "http://h:65536/", "http://h:x/", "h:80",
        "http://h:80:80/", "http://[::1/", "http://[h]:1/", "http://[::1]80/", "http://h /",
        "http://h/\n", "http://h/ü", "ftp://h/", "http:/h/", "http://h/#f"}) {
    Result<HttpUrl> url = parse_http_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, ErrorCode::kConfig);
  }
  EXPECT_FALSE(parse_http_url("http://" + std::string(3000, 'a')));
  EXPECT_NE(parse_http_url("https://h/").error().message.find("TLS"), std::string::npos);
  // A password is not repeated.
  const std::string message = parse_http_url("http://user:secret@h/").error().message;
  EXPECT_EQ(message.find("secret"), std::string::npos) << message;
  EXPECT_NE(message.find("authorization"), std::string::npos) << message;
}

TEST(HttpHeaders, ThoseThatTheConnectorSetsAndMalformedOnesAreRefused) {
  EXPECT_TRUE(check_http_header("Authorization", "Bearer a.b-c"));
  EXPECT_TRUE(check_http_header("x-empty", ""));
  for (const char* name : {"", "a b", "a:", "Host", "content-length", "Transfer-Encoding",
                           "X-Millrace-Lsn", "Content-Type", "expect"})
    EXPECT_FALSE(check_http_header(name, "v")) << name;
  Status status = check_http_header("a", "secret\r\nb: c");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace millrace::connectors
