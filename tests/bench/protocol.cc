#include "protocol.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

// Digits that stand for a key or a version in a template; such text occurs nowhere else in it.
constexpr std::string_view kKeyMark = "00000000000K";
constexpr std::string_view kVersionMark = "00000000000V";
constexpr size_t kDigits = 12;

constexpr int kAttributes = 10;
constexpr size_t kAttributeBytes = 112;

void put_digits(char* at, uint64_t value) {
  for (size_t i = kDigits; i-- > 0; value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

std::string attribute_text(int index) {
  std::string text = index == kAttributes - 1 ? std::string(kVersionMark) : std::string(kKeyMark);
  if (index > 1 && index < kAttributes - 1) text = "of the films of a decade, ";
  while (text.size() < kAttributeBytes) {
    text.push_back(static_cast<char>('a' + (text.size() * 7 + static_cast<size_t>(index)) % 26));
  }
  return text;
}

std::string id_attribute() { return "\"id\":{\"S\":\"key-" + std::string(kKeyMark) + "\"}"; }

/// 25 items of some 120 bytes. `p` is the same in all and `g` of its own in each, for keys of
/// tables and indexes.
std::string batch_body(const Target& target) {
  std::string put = "{\"PutRequest\":{\"Item\":{" + id_attribute() +
                    ",\"p\":{\"S\":\"all\"},\"g\":{\"S\":\"group-" + std::string(kKeyMark) +
                    "\"},\"text\":{\"S\":\"of the films of a decade\"}";
  if (target.expires != 0) put += ",\"expires\":{\"N\":\"" + std::to_string(target.expires) + "\"}";
  put += "}}}";
  std::string body = "{\"RequestItems\":{\"" + target.table + "\":[" + put;
  for (uint64_t i = 1; i < keys_per_request(Op::kBatchPut); ++i) body += "," + put;
  return body + "]}}";
}

/// The 4 MB that a transaction may have, in items of nearly the 400 KB that an item may have. Each
/// time they are others: a write that changes nothing would not be one.
std::string transaction_body(const Target& target) {
  const std::string put = "{\"Put\":{\"TableName\":\"" + target.table + "\",\"Item\":{" +
                          id_attribute() + ",\"text\":{\"S\":\"" + std::string(kVersionMark) +
                          std::string(400'000, 'x') + "\"}}}}";
  std::string body = "{\"TransactItems\":[" + put;
  for (uint64_t i = 1; i < keys_per_request(Op::kTransact); ++i) body += "," + put;
  return body + "]}";
}

std::string page_body(const Target& target) {
  std::string body = "{\"TableName\":\"" + target.table +
                     "\",\"Limit\":" + std::to_string(target.page) +
                     ",\"ExclusiveStartKey\":{\"p\":{\"S\":\"all\"}," + id_attribute() + "}";
  if (target.op == Op::kQuery) {
    body +=
        ",\"KeyConditionExpression\":\"p = :p\","
        "\"ExpressionAttributeValues\":{\":p\":{\"S\":\"all\"}}";
  }
  return body + "}";
}

std::string http_body(const Target& target, std::string& operation) {
  const std::string table = "{\"TableName\":\"" + target.table + "\",";
  const std::string id = id_attribute();
  switch (target.op) {
    case Op::kGet:
      operation = "GetItem";
      return table + "\"Key\":{" + id + "}" +
             (target.consistent_read ? ",\"ConsistentRead\":true}" : "}");
    case Op::kPut: {
      operation = "PutItem";
      std::string body = table + "\"Item\":{" + id;
      for (int i = 0; i < kAttributes; ++i) {
        body += ",\"a" + std::to_string(i) + "\":{\"S\":\"" + attribute_text(i) + "\"}";
      }
      return body + "}}";
    }
    case Op::kUpdate:
      operation = "UpdateItem";
      return table +
             "\"Key\":{\"id\":{\"S\":\"hot\"}},\"UpdateExpression\":\"ADD #c :one\","
             "\"ExpressionAttributeNames\":{\"#c\":\"count\"},"
             "\"ExpressionAttributeValues\":{\":one\":{\"N\":\"1\"}}}";
    case Op::kBatchPut:
      operation = "BatchWriteItem";
      return batch_body(target);
    case Op::kTransact:
      operation = "TransactWriteItems";
      return transaction_body(target);
    case Op::kQuery:
      operation = "Query";
      return page_body(target);
    case Op::kScan:
      operation = "Scan";
      return page_body(target);
    case Op::kStatic:
      break;
  }
  return {};
}

/// The headers that an SDK sends; the signature has the form, no more.
std::string http_request(const Target& target) {
  const std::string host = "Host: " + target.host + ":" + std::to_string(target.port) + "\r\n";
  if (target.op == Op::kStatic) return "GET " + target.path + " HTTP/1.1\r\n" + host + "\r\n";
  std::string operation;
  const std::string body = http_body(target, operation);
  return "POST / HTTP/1.1\r\n" + host +
         "Accept-Encoding: identity\r\n"
         "X-Amz-Target: DynamoDB_20120810." +
         operation +
         "\r\n"
         "Content-Type: application/x-amz-json-1.0\r\n"
         "User-Agent: Boto3/1.26.27 Python/3.11.2 Linux/6.1.0-13-amd64 Botocore/1.29.27\r\n"
         "X-Amz-Date: 20261122T120000Z\r\n"
         "Authorization: AWS4-HMAC-SHA256 "
         "Credential=AKIDEXAMPLE/20261122/us-east-1/dynamodb/aws4_request, "
         "SignedHeaders=content-type;host;x-amz-date;x-amz-target, "
         "Signature=8e4b0d7cf1a2936b5c0f4be11d3a7c9e2f6d8b0a1c3e5f7092b4d6f8a0c2e4f6\r\n"
         "amz-sdk-invocation-id: 7d5a1f3c-52b6-4c0e-9f83-2a64e1b7c90d\r\n"
         "amz-sdk-request: attempt=1\r\n"
         "Content-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string resp_bulk(std::string_view text) {
  std::string bulk = "$";
  return bulk.append(std::to_string(text.size())).append("\r\n").append(text).append("\r\n");
}

std::string resp_request(const Target& target) {
  const std::string key = resp_bulk("key-" + std::string(kKeyMark));
  switch (target.op) {
    case Op::kPut: {
      std::string value;
      for (int i = 0; i < kAttributes; ++i) value += attribute_text(i) + "\n";
      return "*3\r\n" + resp_bulk("SET") + key + resp_bulk(value);
    }
    case Op::kUpdate:
      return "*3\r\n" + resp_bulk("INCRBY") + resp_bulk("hot") + resp_bulk("1");
    default:
      return "*2\r\n" + resp_bulk("GET") + key;
  }
}

bool same_letters(const char* text, std::string_view lower) {
  for (size_t i = 0; i < lower.size(); ++i) {
    if ((text[i] | 0x20) != lower[i]) return false;
  }
  return true;
}

/// Whether the content shows the item of `key`: its digits stand within the first attributes.
bool holds_item(std::string_view content, uint64_t key) {
  char digits[kDigits];
  put_digits(digits, key);
  return content.find(std::string_view(digits, kDigits)) != std::string_view::npos;
}

/// Whether the content is what was asked for, as far as the operation's answer shows it.
bool holds_answer(const Target& target, std::string_view content, uint64_t key) {
  switch (target.op) {
    case Op::kGet:
      return holds_item(content, key);
    case Op::kQuery:
    case Op::kScan:
      return content.find("\"Count\":" + std::to_string(target.page) + ",") !=
             std::string_view::npos;
    default:
      return true;
  }
}

Answer judge_http(const Target& target, std::string_view received, uint64_t key, bool thorough,
                  size_t& size) {
  const auto* head_end =
      static_cast<const char*>(memmem(received.data(), received.size(), "\r\n\r\n", 4));
  if (head_end == nullptr) return Answer::kIncomplete;
  const size_t head = static_cast<size_t>(head_end - received.data()) + 4;
  size_t length = 0;
  bool chunked = false;
  for (const char* line = received.data(); line < head_end;) {
    if (same_letters(line, "content-length:")) {
      length = std::strtoul(line + 15, nullptr, 10);
    } else if (same_letters(line, "transfer-encoding:")) {
      chunked = true;
    }
    line = static_cast<const char*>(memchr(line, '\n', received.size())) + 1;
  }
  if (chunked) {
    if (!received.ends_with("\r\n0\r\n\r\n")) return Answer::kIncomplete;
    length = received.size() - head;
  }
  size = head + length;
  if (received.size() < size) return Answer::kIncomplete;
  if (received.substr(8, 5) != " 200 " || received.size() > size) return Answer::kError;
  const std::string_view content = received.substr(head, length);
  // What was not processed would be missing from then on.
  if (target.op == Op::kBatchPut && content.find("PutRequest") != std::string_view::npos) {
    return Answer::kError;
  }
  return thorough && !holds_answer(target, content, key) ? Answer::kError : Answer::kGood;
}

Answer judge_resp(const Target& target, std::string_view received, uint64_t key, bool thorough,
                  size_t& size) {
  const size_t line_end = received.find("\r\n");
  if (line_end == std::string_view::npos) return Answer::kIncomplete;
  size = line_end + 2;
  const char expected = target.op == Op::kGet ? '$' : target.op == Op::kPut ? '+' : ':';
  if (received[0] != expected) return Answer::kError;
  if (target.op != Op::kGet) return Answer::kGood;
  const long length = std::strtol(received.data() + 1, nullptr, 10);
  if (length < 0) return Answer::kError;
  size += static_cast<size_t>(length) + 2;
  if (received.size() < size) return Answer::kIncomplete;
  return thorough && !holds_item(received.substr(line_end), key) ? Answer::kError : Answer::kGood;
}

}  // namespace

uint64_t keys_per_request(Op op) {
  if (op == Op::kBatchPut) return 25;
  if (op == Op::kTransact) return 10;
  return 1;
}

RequestTemplate::RequestTemplate(const Target& target)
    : bytes_(target.resp ? resp_request(target) : http_request(target)) {
  find_digits();
  places_per_key_ = std::max<size_t>(1, key_places_.size() / keys_per_request(target.op));
}

void RequestTemplate::find_digits() {
  for (size_t at = 0; (at = bytes_.find(kKeyMark, at)) != std::string::npos; at += kDigits) {
    key_places_.push_back(at);
  }
  for (size_t at = 0; (at = bytes_.find(kVersionMark, at)) != std::string::npos; at += kDigits) {
    version_places_.push_back(at);
  }
}

std::string_view RequestTemplate::render(uint64_t key, uint64_t version) {
  for (size_t i = 0; i < key_places_.size(); ++i) {
    put_digits(bytes_.data() + key_places_[i], key + i / places_per_key_);
  }
  for (const size_t place : version_places_) put_digits(bytes_.data() + place, version);
  return bytes_;
}

Answer judge(const Target& target, std::string_view received, uint64_t key, bool thorough,
             size_t& size) {
  return target.resp ? judge_resp(target, received, key, thorough, size)
                     : judge_http(target, received, key, thorough, size);
}
