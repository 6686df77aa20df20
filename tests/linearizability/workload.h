#pragma once

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "history.h"

namespace millrace::linearizability {

// Members 0 to 2 of a group are one item collection of kTable, which has a global and a local index
// by the items' values; the last member lies in kOtherTable.
inline constexpr std::string_view kTable = "grouped";
inline constexpr std::string_view kOtherTable = "apart";
inline constexpr int kCollectionMembers = kMembers - 1;

/// Bodies of CreateTable.
std::vector<std::string> table_definitions();

/// How a request is answered.
enum class Form : uint8_t {
  kRead,           // GetItem
  kWrite,          // PutItem, UpdateItem, DeleteItem
  kCollection,     // Query
  kBatchRead,      // BatchGetItem
  kBatchWrite,     // BatchWriteItem
  kTransactRead,   // TransactGetItems
  kTransactWrite,  // TransactWriteItems
};

/// One request. A batch is one operation for each of its items.
struct Request {
  Form form = Form::kRead;
  std::string_view target;
  std::string body;
  std::vector<Operation> operations;
  // What kWrite asked to be told of.
  bool tells_old = false, tells_new = false;
  bool tells_old_when_refused = false;
  bool has_token = false;  // may be sent again after an answer was lost
};

/// What clients have seen last, shared by them: conditions that name it often hold.
class LastSeen {
 public:
  explicit LastSeen(int groups)
      : values_(std::make_unique<std::atomic<Value>[]>(static_cast<size_t>(groups) * kMembers)) {
    for (int i = 0; i < groups * kMembers; ++i) values_[static_cast<size_t>(i)] = kAbsent;
  }
  std::atomic<Value>& of(int group, int member) {
    return values_[static_cast<size_t>(group) * kMembers + static_cast<size_t>(member)];
  }

 private:
  std::unique_ptr<std::atomic<Value>[]> values_;
};

/// Random requests of one client. Values that are put or added are new each time, so every value
/// of an item tells which write it is from.
class Workload {
 public:
  Workload(int client, int groups, std::string prefix, LastSeen& last_seen, uint64_t seed)
      : client_(client),
        groups_(groups),
        prefix_(std::move(prefix)),
        last_seen_(last_seen),
        random_(seed) {}

  Request next();
  std::mt19937_64& random() { return random_; }

 private:
  Operation operation(std::string_view name, int group) const;
  Request single_write(int group);
  Request get(int group);
  Request query(int group);
  Request batch_get(int group);
  Request batch_write(int group);
  Request transact_get(int group);
  Request transact_write(int group);

  bool one_in(uint64_t n) { return random_() % n == 0; }
  std::vector<int> some_members(size_t at_least);
  Step write_step(int group, int member);
  void choose_condition(Step& step, int group);

  std::string key(int group, int member) const;
  std::string key_attributes(int group, int member) const;
  std::string item(int group, const Step& step);
  std::string write_members(int group, const Step& step, bool by_update);

  const int client_;
  const int groups_;
  const std::string prefix_;  // of the groups' names
  LastSeen& last_seen_;
  std::mt19937_64 random_;
};

}  // namespace millrace::linearizability
