#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::linearizability {

/// Items are checked in groups: every request touches items of one group only, so a history is
/// linearizable if that of each group is.
inline constexpr int kMembers = 4;

/// An item is one number, or not there.
using Value = int64_t;
inline constexpr Value kAbsent = std::numeric_limits<Value>::min();

/// A whole group at one moment.
using State = std::array<Value, kMembers>;
inline constexpr State kEmptyState{kAbsent, kAbsent, kAbsent, kAbsent};

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

enum class Effect : uint8_t { kNone, kPut, kAdd, kDelete };
enum class Condition : uint8_t { kNone, kAbsent, kPresent, kEquals };

/// What a request does to one item, and what its answer told of that item.
struct Step {
  int member = 0;
  Effect effect = Effect::kNone;
  Value value = 0;  // that is put or added
  Condition condition = Condition::kNone;
  Value expected = 0;    // of kEquals
  bool refused = false;  // the answer blames this step's condition
  std::optional<Value> before, after;
};

enum class Outcome : uint8_t {
  kDone,
  kRefused,  // a condition failed, so nothing was written
  kUnknown,  // no answer came: it happened once until `return_ns`, or never
};

/// One request: all its steps happen at one moment between `call_ns` and `return_ns`.
struct Operation {
  std::string_view name;
  int group = 0;
  int client = 0;
  int64_t call_ns = 0, return_ns = kNever;
  Outcome outcome = Outcome::kUnknown;
  std::vector<Step> steps;
};

using History = std::vector<Operation>;

/// One line for people.
std::string describe(const Operation& operation);

}  // namespace millrace::linearizability
