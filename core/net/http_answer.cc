#include "core/net/http_answer.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "core/base/random.h"

namespace millrace {
namespace {

// As the service: smaller bodies are not compressed.
constexpr size_t kCodedBytesMin = 4096;

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "200 OK";
    case 201:
      return "201 Created";
    case 202:
      return "202 Accepted";
    case 204:
      return "204 No Content";
    case 304:
      return "304 Not Modified";
    case 400:
      return "400 Bad Request";
    case 401:
      return "401 Unauthorized";
    case 403:
      return "403 Forbidden";
    case 404:
      return "404 Not Found";
    case 405:
      return "405 Method Not Allowed";
    case 408:
      return "408 Request Timeout";
    case 409:
      return "409 Conflict";
    case 413:
      return "413 Request Entity Too Large";
    case 415:
      return "415 Unsupported Media Type";
    case 417:
      return "417 Expectation Failed";
    case 429:
      return "429 Too Many Requests";
    case 431:
      return "431 Request Header Fields Too Large";
    case 500:
      return "500 Internal Server Error";
    case 501:
      return "501 Not Implemented";
    case 503:
      return "503 Service Unavailable";
    case 505:
      return "505 HTTP Version Not Supported";
    default:
      return {};
  }
}

/// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", made once a second a thread. The header tells the
/// client the time of day, nothing here depends on it: hence the system's clock and no injected
/// one.
std::string_view date_line() {
  thread_local time_t made_at = 0;
  thread_local char line[64];
  thread_local size_t size = 0;
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != made_at) {
    made_at = now.tv_sec;
    tm parts;
    gmtime_r(&made_at, &parts);
    // In the C locale, whatever the process set: names of days and months are part of the format.
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const int written = snprintf(line, sizeof line, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                                 kDays[parts.tm_wday], parts.tm_mday, kMonths[parts.tm_mon],
                                 parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    size = static_cast<size_t>(written);
  }
  return {line, size};
}

/// A growing cursor: one bound check for the whole head instead of one for each piece.
class HeadWriter {
 public:
  explicit HeadWriter(char* at) : at_(at) {}
  HeadWriter& text(std::string_view bytes) {
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
    return *this;
  }
  HeadWriter& number(uint64_t value) {
    at_ = std::to_chars(at_, at_ + 20, value).ptr;
    return *this;
  }
  char* end() const { return at_; }

 private:
  char* at_;
};

// More than all fixed text, numbers, the request id and the date take together.
constexpr size_t kFixedHeadBytesMax = 512;

}  // namespace

void render_answer(const AnswerContext& context, const HttpResponse& response, std::string& out) {
  const bool compressed =
      context.coding != ContentCoding::kIdentity && response.body.size() >= kCodedBytesMin;
  std::string packed;
  std::string_view body = response.body;
  if (compressed) {
    encode(context.coding, body, packed);
    body = packed;
  }
  // The checksum is of the bytes that travel (SDKs check before they decompress).
  const uint32_t crc = response.crc32 && !compressed ? *response.crc32 : crc32(body);
  const bool bodyless = response.status == 204 || response.status == 304;

  const size_t before = out.size();
  const size_t head_max =
      kFixedHeadBytesMax + response.content_type.size() + response.extra_headers.size();
  // Room is claimed without being zeroed first.
  if (out.capacity() - before < head_max + body.size()) {
    out.reserve(std::max(2 * out.capacity(), before + head_max + body.size()));
  }
  char fixed[kFixedHeadBytesMax];
  HeadWriter start(fixed);
  start.text("HTTP/1.1 ");
  if (const std::string_view reason = reason_of(response.status); !reason.empty()) {
    start.text(reason);
  } else {
    start.number(static_cast<uint64_t>(response.status)).text(" Status");
  }
  start.text("\r\nx-amzn-RequestId: ");
  start.text({context.request_id.data(), context.request_id.size()});
  start.text("\r\nX-Amz-Crc32: ").number(crc).text("\r\n").text(date_line());
  if (!bodyless) start.text("Content-Length: ").number(body.size()).text("\r\n");
  if (compressed) {
    const bool gzip = context.coding == ContentCoding::kGzip;
    start.text("Content-Encoding: ").text(gzip ? "gzip" : "deflate").text("\r\n");
  }
  if (!context.keep_alive) {
    start.text("Connection: close\r\n");
  } else if (context.http_1_0) {
    start.text("Connection: keep-alive\r\n");
  }
  out.append(fixed, static_cast<size_t>(start.end() - fixed));
  if (!response.content_type.empty() && !bodyless) {
    out.append("Content-Type: ").append(response.content_type).append("\r\n");
  }
  out.append(response.extra_headers).append("\r\n");
  if (!context.head_only && !bodyless) out.append(body);
}

HttpResponse refusal(int status) {
  HttpResponse response;
  response.status = status;
  switch (status) {
    case 413:
      response.body = R"({"__type":"com.amazon.coral.service#RequestEntityTooLargeException",)"
                      R"("message":"Request size limit exceeded"})";
      break;
    case 500:
      response.body = R"({"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError",)"
                      R"("message":"Internal server error"})";
      break;
    default:
      response.body = R"({"__type":"com.amazon.coral.service#MalformedHttpRequestException",)"
                      R"("message":"The request is not valid HTTP or not supported"})";
      break;
  }
  return response;
}

HttpResponse throttled() {
  HttpResponse response;
  response.status = 400;
  response.body = R"({"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException",)"
                  R"("message":"Rate of requests exceeds the allowed throughput."})";
  return response;
}

void make_request_id(std::array<char, 52>& id) {
  // Two characters of five bits each.
  static constexpr auto kPairs = [] {
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    std::array<std::array<char, 2>, 1024> pairs{};
    for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kAlphabet[i & 31], kAlphabet[i >> 5]};
    return pairs;
  }();
  thread_local uint64_t state = random_seed();
  size_t at = 0;
  while (at < id.size()) {
    // SplitMix64: ids must differ, not be secret. Six pairs a word.
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    for (int i = 0; i < 6 && at < id.size(); ++i, z >>= 10, at += 2) {
      std::memcpy(&id[at], kPairs[z & 1023].data(), 2);
    }
  }
}

}  // namespace millrace
