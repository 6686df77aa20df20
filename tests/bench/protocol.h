#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What is asked, in the words of DynamoDB; RESP has a counterpart for each.
enum class Op : uint8_t {
  kGet,     // GetItem; GET
  kPut,     // PutItem of 1.2 KB in ten string attributes; SET of as many bytes
  kUpdate,  // UpdateItem, ADD 1 to a counter of one hot item; INCRBY
  // HTTP only:
  kStatic,    // GET of a file
  kBatchPut,  // BatchWriteItem of 25 small items: keys K to K + 24
  kTransact,  // TransactWriteItems of 4 MB: keys K to K + 9
  kQuery,     // one page of Query after key K, of a table with keys `p` and `id`
  kScan,      // the same of Scan
};

/// How many keys, from the given one on, one request writes.
uint64_t keys_per_request(Op op);

struct Target {
  bool resp = false;  // else HTTP
  Op op = Op::kGet;
  std::string host = "127.0.0.1";
  int port = 0;
  std::string table = "bench";
  std::string path = "/item.json";  // kStatic
  bool consistent_read = false;
  int page = 10;        // items of a page of kQuery and kScan
  int64_t expires = 0;  // attribute `expires` of small items, in epoch seconds; 0: they have none
};

/// A request rendered once; only the digits of the key and of the version are changed from request
/// to request, all of constant width.
class RequestTemplate {
 public:
  explicit RequestTemplate(const Target& target);
  /// The bytes to send for `key` and, where a request writes several, those that follow it;
  /// `version` makes two puts of one key differ. Valid until the next call.
  std::string_view render(uint64_t key, uint64_t version);

 private:
  void find_digits();

  std::string bytes_;
  // Where the digits stand; kept since searching 2 KB for each request would cost more than the
  // rest.
  std::vector<size_t> key_places_;  // as many for each key, key by key
  size_t places_per_key_ = 1;
  std::vector<size_t> version_places_;
};

enum class Answer : uint8_t { kIncomplete, kGood, kError };

/// Judges what a connection has received for one request. `size`: of the complete answer. With
/// `thorough` the content is looked at too: it must hold the item of `key`.
Answer judge(const Target& target, std::string_view received, uint64_t key, bool thorough,
             size_t& size);
