// Whole requests through the table of operations of a node in memory. An input is a sequence of
// requests, each a line "% Operation" and a body; $ARN, $SHARD, $ITERATOR and $SEQUENCE in a body
// stand for a stream's of the node. Whatever is sent: each request is answered once, with JSON; an
// error is one of the service's and not the node's fault; what was refused has written nothing, and
// neither has what only reads; indexes are what their tables make of them; the node goes on, and is
// the same after a restart.

#include <leveldb/env.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/base/memory_disk.h"
#include "core/net/http_server.h"
#include "core/ops/long_work.h"
#include "core/ops/operation.h"
#include "core/store/disk_env.h"
#include "fuzz_target.h"
#include "streams/shard_index.h"
#include "streams/streams.h"
#include "streams/streams_operations.h"

namespace {

using namespace millrace;

// Requests after which the node is replaced, so that a run's inputs meet tables.
constexpr int kRequestsOfNode = 300;
constexpr uint64_t kDiskBytes = uint64_t{1} << 30;

constexpr std::string_view kErrors[] = {"ValidationException",
                                        "SerializationException",
                                        "ResourceNotFoundException",
                                        "ResourceInUseException",
                                        "TableNotFoundException",
                                        "PolicyNotFoundException",
                                        "ConditionalCheckFailedException",
                                        "TransactionCanceledException",
                                        "IdempotentParameterMismatchException",
                                        "ItemCollectionSizeLimitExceededException",
                                        "LimitExceededException",
                                        "ThrottlingException",
                                        "RequestLimitExceeded",
                                        "ExpiredIteratorException",
                                        "TrimmedDataAccessException",
                                        "AccessDeniedException"};

[[noreturn]] void fail(std::string_view what, std::string_view detail) {
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(what.size()), what.data(),
               static_cast<int>(std::min<size_t>(detail.size(), 2000)), detail.data());
  std::abort();
}

// How deep the inputs get is told at the end: mutations that are all refused would prove little.
struct Reach {
  uint64_t requests = 0, carried_out = 0;
  ~Reach() {
    std::printf("%llu requests, %llu of them carried out\n",
                static_cast<unsigned long long>(requests),
                static_cast<unsigned long long>(carried_out));
  }
};
Reach reach;

class ManualClock final : public Clock {
 public:
  int64_t wall_ms() const override { return now_ms_; }
  int64_t monotonic_ns() const override { return now_ms_ * 1'000'000; }
  void advance(int64_t ms) { now_ms_ += ms; }

 private:
  int64_t now_ms_ = 1'790'000'000'000;
};

template <typename T>
T must(Result<T> result) {
  if (!result) fail("does not start", result.error().message);
  return std::move(result).value();
}

class FuzzNode {
 public:
  FuzzNode() {
    add_dynamodb_operations(operations_);
    open();
    streams::add_streams_operations(operations_, *streams_);
    define();
  }
  ~FuzzNode() { close(); }

  /// One request of an input, with all that must hold of its answer.
  void request(std::string_view name, std::string body) {
    const Operation* operation = find(name);
    if (operation == nullptr || body.size() > operation->body_bytes_max) return;
    for (const auto& [placeholder, value] : placeholders_) {
      for (size_t at = 0; (at = body.find(placeholder, at)) != std::string::npos;) {
        body.replace(at, placeholder.size(), value);
        at += value.size();
      }
    }
    const Lsn before = engine_->published_lsn();
    const Answer answer = run(*operation, body);
    const bool wrote = engine_->published_lsn() != before;
    check_answer(operation->name, answer);
    if (wrote && (answer.status != 200 || !operation->writes)) {
      fail("wrote nevertheless", operation->name + " " + answer.body);
    }
    ++requests_;
    ++reach.requests;
    if (answer.status == 200) ++reach.carried_out;
  }

  /// Time passes, and the work behind the requests is done.
  void rest() {
    clock_.advance(requests_ % 16 == 0 ? 1500 : 1);
    for (int step = 0; step < 100; ++step) {
      woken_ = false;
      if (const Status status = long_work_->step(); !status) {
        fail("long work", status.error().message);
      }
      commit();
      if (!woken_) break;
    }
    for (auto more = engine_->maintain();; more = engine_->maintain()) {
      if (!more) fail("maintenance", more.error().message);
      if (!*more) break;
    }
    if (const Status status = engine_->health(); !status) fail("health", status.error().message);
  }

  void check_usable() {
    const std::string value = std::to_string(requests_);
    ok("PutItem",
       R"({"TableName":"of-the-target","Item":{"id":{"N":"1"},"v":{"S":")" + value + "\"}}}");
    const std::string got =
        ok("GetItem", R"({"TableName":"of-the-target","Key":{"id":{"N":"1.0"}}})");
    if (got.find("{\"S\":\"" + value + "\"}") == std::string::npos) fail("another item", got);
  }

  /// What the requests have left: every index is what its table makes of it, and all is the same
  /// after a restart.
  void check_what_is_left() {
    rest();
    const std::string before = tables_text();
    close();
    open();
    if (tables_text() != before) fail("not the same after a restart", before);
  }

  bool is_used_up() const { return requests_ >= kRequestsOfNode; }

 private:
  struct Answer {
    int status = 0;
    std::string body;
  };

  void open() {
    EngineOptions options;
    options.folder = "/data";
    options.log.spare_segments = 0;
    options.log.segment_bytes = 1u << 20;
    options.log.first_segment_bytes = 256u << 10;
    options.memory_table_bytes = 256u << 10;
    options.checkpoint_bytes = 1u << 20;
    options.disk_bytes_max = kDiskBytes;
    engine_ = must(Engine::open(options, disk_, &env_, clock_));
    catalog_ = std::make_unique<Catalog>("us-east-1", "000000000000");
    if (const Status status = catalog_->load(*engine_->view()); !status) {
      fail("catalogue", status.error().message);
    }
    engine_->add_observer(catalog_.get());
    index_ = must(streams::ShardIndex::open(disk_, "/shards", engine_->log(), *catalog_));
    streams_ = std::make_unique<streams::Streams>(engine_->log(), *catalog_, *index_, clock_,
                                                  std::string(32, 'k'));
    node_ = std::make_unique<Node>(
        Node{*engine_, *catalog_, clock_, [this](auto command) { submit(std::move(command)); }});
    long_work_ = std::make_unique<LongWork>(*node_, [this] { woken_ = true; });
    engine_->add_observer(long_work_.get());
  }
  void close() {
    long_work_.reset();
    node_.reset();
    streams_.reset();
    index_.reset();
    engine_.reset();
    catalog_.reset();
  }

  using Items = std::vector<std::string>;
  Items scan(const std::string& table, const std::string& index);
  std::string tables_text();

  const Operation* find(std::string_view name) const {
    for (const std::string_view service : {"DynamoDB_20120810.", "DynamoDBStreams_20120810."}) {
      const Operation* found = operations_.find(std::string(service).append(name));
      if (found != nullptr) return found;
    }
    return nullptr;
  }

  Answer run(const Operation& operation, std::string_view body) {
    // The padding lies in an allocation of exactly its size, so that a read past it is seen.
    std::vector<char> padded(body.begin(), body.end());
    padded.resize(body.size() + HttpRequest::kBodyPadding, ' ');
    Answer answer;
    int answers = 0;
    operation.run(*node_, Request{std::string_view(padded.data(), body.size())},
                  Reply([&](int status, std::string_view, std::string_view text) {
                    answer = {status, std::string(text)};
                    ++answers;
                  }));
    padded.assign(padded.size(), '\0');  // the body lives until run() returns, no longer
    for (int step = 0; answers == 0 && step < 100; ++step) {
      commit();
      if (answers == 0) (void)engine_->maintain();
    }
    if (answers != 1) fail("answers: " + std::to_string(answers), operation.name);
    return answer;
  }

  static void check_answer(const std::string& name, const Answer& answer) {
    // Operations without a member in their answer may have no body.
    if (answer.status == 200 && answer.body.empty()) return;
    static simdjson::dom::parser parser;
    simdjson::dom::object object;
    if (parser.parse(answer.body).get(object)) fail("no JSON: " + name, answer.body);
    if (answer.status == 200) return;
    std::string_view type;
    if (object["__type"].get(type)) fail("no type: " + name, answer.body);
    type.remove_prefix(type.find('#') + 1);
    if (answer.status != 400 ||
        std::find(std::begin(kErrors), std::end(kErrors), type) == std::end(kErrors)) {
      fail("no error of the service: " + name, answer.body);
    }
  }

  std::string ok(const std::string& name, const std::string& body) {
    Answer answer = run(*find(name), body);
    if (answer.status != 200) fail("not usable", name + " " + answer.body);
    return answer.body;
  }

  static std::string text_of(const std::string& json, const std::string& name) {
    const std::string quoted = "\"" + name + "\":\"";
    const size_t at = json.find(quoted) + quoted.size();
    return json.substr(at, json.find('"', at) - at);
  }

  void define();

  void submit(std::unique_ptr<Command> command) {
    const Status status = engine_->submit(std::move(command));
    if (!status) command->done(status);
  }
  void commit() {
    while (engine_->step()) {
    }
  }

  ManualClock clock_;
  MemoryDisk disk_{kDiskBytes};
  DiskEnv env_{disk_};
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<streams::ShardIndex> index_;
  std::unique_ptr<streams::Streams> streams_;
  OperationTable operations_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<LongWork> long_work_;
  bool woken_ = false;
  int requests_ = 0;
  std::map<std::string, std::string> placeholders_;
};

void FuzzNode::define() {
  ok("CreateTable",
     R"({"TableName":"of-the-target","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],)"
     R"("AttributeDefinitions":[{"AttributeName":"id","AttributeType":"N"}],)"
     R"("BillingMode":"PAY_PER_REQUEST"})");
  ok("CreateTable",
     R"({"TableName":"films","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},)"
     R"({"AttributeName":"sk","KeyType":"RANGE"}],"AttributeDefinitions":[)"
     R"({"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"},)"
     R"({"AttributeName":"gh","AttributeType":"S"},{"AttributeName":"gr","AttributeType":"N"},)"
     R"({"AttributeName":"lr","AttributeType":"B"}],"BillingMode":"PAY_PER_REQUEST",)"
     R"("GlobalSecondaryIndexes":[{"IndexName":"global","KeySchema":[)"
     R"({"AttributeName":"gh","KeyType":"HASH"},{"AttributeName":"gr","KeyType":"RANGE"}],)"
     R"("Projection":{"ProjectionType":"ALL"}}],"LocalSecondaryIndexes":[{"IndexName":"local",)"
     R"("KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},)"
     R"({"AttributeName":"lr","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}],)"
     R"("StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}})");
  ok("CreateTable", R"({"TableName":"users","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],)"
                    R"("AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],)"
                    R"("BillingMode":"PAY_PER_REQUEST"})");
  ok("UpdateTimeToLive",
     R"({"TableName":"users","TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":true}})");
  rest();
  for (int i = 0; i < 6; ++i) {
    const std::string n = std::to_string(i);
    ok("PutItem", R"({"TableName":"films","Item":{"pk":{"S":"a"},"sk":{"N":")" + n +
                      R"("},"gh":{"S":"g"},"gr":{"N":"-)" + n +
                      R"("},"lr":{"B":"AAE="},"l":{"L":[{"N":"1"}]},"m":{"M":{"k":{"S":"v"}}},)"
                      R"("ss":{"SS":["a","b"]},"n":{"N":"5"}}})");
    ok("PutItem", R"({"TableName":"users","Item":{"pk":{"S":")" + n + R"("},"ttl":{"N":"17900000)" +
                      n + R"(9"},"n":{"N":"1"}}})");
  }
  const std::string arn = text_of(ok("ListStreams", R"({"TableName":"films"})"), "StreamArn");
  const std::string described = ok("DescribeStream", R"({"StreamArn":")" + arn + "\"}");
  const std::string shard = text_of(described, "ShardId");
  const std::string iterator =
      text_of(ok("GetShardIterator", R"({"StreamArn":")" + arn + R"(","ShardId":")" + shard +
                                         R"(","ShardIteratorType":"TRIM_HORIZON"})"),
              "ShardIterator");
  placeholders_ = {{"$ARN", arn},
                   {"$SHARD", shard},
                   {"$ITERATOR", iterator},
                   {"$SEQUENCE", text_of(described, "StartingSequenceNumber")}};
}

/// All items that a Scan of the table or of its index gives, in order.
FuzzNode::Items FuzzNode::scan(const std::string& table, const std::string& index) {
  Items items;
  std::string start;
  do {
    std::string body = R"({"TableName":")" + table + "\"";
    if (!index.empty()) body += R"(,"IndexName":")" + index + "\"";
    if (!start.empty()) body += R"(,"ExclusiveStartKey":)" + start;
    simdjson::dom::parser parser;
    simdjson::dom::element page = parser.parse(ok("Scan", body + "}")).value();
    for (simdjson::dom::element item : page["Items"].get_array()) {
      items.push_back(simdjson::minify(item));
    }
    simdjson::dom::element last;
    start = page["LastEvaluatedKey"].get(last) ? "" : simdjson::minify(last);
  } while (!start.empty());
  return items;
}

/// Whether the item has what one of the index's keys takes. What was there before its index may be
/// empty or too long for it, and is left out then.
bool has_key(simdjson::dom::element item, const std::vector<KeyAttribute>& attributes,
             size_t bytes_max) {
  size_t bytes = 0;
  for (const KeyAttribute& attribute : attributes) {
    const bool binary = attribute.type == ValueType::kBinary;
    const bool number = attribute.type == ValueType::kNumber;
    std::string_view value;
    if (item[attribute.name][binary ? "B" : number ? "N" : "S"].get(value) || value.empty()) {
      return false;
    }
    bytes += binary ? value.size() * 3 / 4 : number ? 0 : value.size();
  }
  return bytes <= bytes_max;
}

/// How many of the items have an entry in the index.
size_t count_indexed(const Index& index, const std::vector<std::string>& items) {
  size_t count = 0;
  for (const std::string& text : items) {
    simdjson::dom::parser parser;
    const simdjson::dom::element item = parser.parse(text).value();
    if (has_key(item, index.key.partition, 2048) && has_key(item, index.key.sort, 1024)) ++count;
  }
  return count;
}

std::string FuzzNode::tables_text() {
  std::string text;
  for (const TablePtr& table : catalog_->tables()) {
    text += Catalog::encode(*table);
    const Items items = scan(table->name, "");
    for (const std::string& item : items) text += item;
    const std::set<std::string> all(items.begin(), items.end());
    for (const Index& index : table->indexes) {
      if (index.status != IndexStatus::kActive) continue;
      const Items entries = scan(table->name, index.name);
      for (const std::string& entry : entries) {
        text += entry;
        if (index.projection == IndexProjection::kAll && all.count(entry) == 0) {
          fail("an index has what its table has not", entry);
        }
      }
      if (entries.size() != count_indexed(index, items)) {
        fail("an index of " + std::to_string(entries.size()) + " entries", index.name);
      }
    }
  }
  return text;
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  return {"% ListTables\n{}\n", "% DescribeTable\n{\"TableName\":\"films\"}\n"};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static std::unique_ptr<FuzzNode> node = std::make_unique<FuzzNode>();
  if (node->is_used_up()) {
    node->check_what_is_left();
    node.reset();
    node = std::make_unique<FuzzNode>();
  }
  std::string_view left(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kMark = "% ";
  constexpr int kRequestsMax = 12;
  for (int i = 0; i < kRequestsMax && left.substr(0, kMark.size()) == kMark; ++i) {
    left.remove_prefix(kMark.size());
    const size_t next = std::min(left.find("\n% "), left.size());
    const std::string_view one = left.substr(0, next);
    const size_t line = std::min(one.find('\n'), one.size());
    node->request(one.substr(0, line), std::string(one.substr(std::min(line + 1, one.size()))));
    left.remove_prefix(std::min(next + 1, left.size()));
  }
  node->rest();
  node->check_usable();
  return 0;
}
