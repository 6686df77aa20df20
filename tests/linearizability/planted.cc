#include "planted.h"

#include <algorithm>

namespace millrace::linearizability {

namespace {

/// That an item had a value, told by an answer.
struct Sight {
  size_t operation, step;
  Value value;
};

/// What answers of reads tell of an item, by the time of the return.
std::vector<Sight> sights_of(const History& history, int member) {
  std::vector<Sight> sights;
  for (size_t i = 0; i < history.size(); ++i) {
    const Operation& operation = history[i];
    if (operation.outcome != Outcome::kDone) continue;
    for (size_t k = 0; k < operation.steps.size(); ++k) {
      const Step& step = operation.steps[k];
      if (step.member != member || step.effect != Effect::kNone || !step.before) continue;
      if (*step.before != kAbsent) sights.push_back({i, k, *step.before});
    }
  }
  std::sort(sights.begin(), sights.end(), [&](const Sight& a, const Sight& b) {
    return history[a.operation].return_ns < history[b.operation].return_ns;
  });
  return sights;
}

/// A later read tells what an earlier one told, though one between them told something else.
std::optional<History> stale_read(const History& history, int member, size_t from) {
  const std::vector<Sight> sights = sights_of(history, member);
  for (size_t at = from % (sights.size() + 1); at < sights.size(); ++at) {
    const Sight& first = sights[at];
    size_t between = at;
    for (size_t later = at + 1; later < sights.size(); ++later) {
      const auto follows = [&](size_t earlier) {
        return history[sights[later].operation].call_ns >
               history[sights[earlier].operation].return_ns;
      };
      if (between == at) {
        if (sights[later].value != first.value && follows(at)) between = later;
      } else if (follows(between)) {
        History spoilt = history;
        spoilt[sights[later].operation].steps[sights[later].step].before = first.value;
        return spoilt;
      }
    }
  }
  return std::nullopt;
}

/// An addition tells a sum without one that was answered before it began.
std::optional<History> lost_update(const History& history, int member, size_t from) {
  for (size_t i = from; i < history.size(); ++i) {
    const Operation& first = history[i];
    const auto added = [&](const Operation& one) {
      return one.outcome == Outcome::kDone && one.steps.size() == 1 &&
             one.steps[0].member == member && one.steps[0].effect == Effect::kAdd &&
             one.steps[0].after.has_value();
    };
    if (!added(first)) continue;
    for (size_t j = 0; j < history.size(); ++j) {
      const Operation& second = history[j];
      if (!added(second) || second.call_ns <= first.return_ns) continue;
      const Value base = *first.steps[0].after - first.steps[0].value;
      // From nothing, a deletion between the two would explain the sum.
      if (base == 0) break;
      History spoilt = history;
      spoilt[j].steps[0].after = base + second.steps[0].value;
      return spoilt;
    }
  }
  return std::nullopt;
}

/// A read of several items tells the new value of one and the old one of another, of a transaction
/// that wrote both.
std::optional<History> torn_transaction(const History& history, int member, size_t from) {
  const std::vector<Sight> sights = sights_of(history, member);
  for (size_t i = from; i < history.size(); ++i) {
    const Operation& write = history[i];
    if (write.outcome != Outcome::kDone || write.steps.size() < 2) continue;
    const auto puts = [&](int wanted, bool same) -> const Step* {
      for (const Step& step : write.steps) {
        if (step.effect == Effect::kPut && (step.member == wanted) == same) return &step;
      }
      return nullptr;
    };
    const Step* torn = puts(member, true);
    const Step* whole = puts(member, false);
    if (torn == nullptr || whole == nullptr) continue;
    std::optional<Value> old;
    for (const Sight& sight : sights) {
      if (history[sight.operation].return_ns < write.call_ns) old = sight.value;
    }
    if (!old) continue;
    for (size_t j = 0; j < history.size(); ++j) {
      const Operation& reads = history[j];
      if (reads.outcome != Outcome::kDone) continue;
      std::optional<size_t> place;
      bool sees_whole = false;
      for (size_t k = 0; k < reads.steps.size(); ++k) {
        const Step& step = reads.steps[k];
        if (step.effect != Effect::kNone || !step.before) continue;
        if (step.member == whole->member && step.before == whole->value) sees_whole = true;
        if (step.member == member && step.before == torn->value) place = k;
      }
      if (!sees_whole || !place) continue;
      History spoilt = history;
      spoilt[j].steps[*place].before = *old;
      return spoilt;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Plant kind) {
  constexpr std::string_view kNames[] = {"stale read", "lost update", "torn transaction"};
  return kNames[static_cast<size_t>(kind)];
}

std::optional<History> with_planted(Plant kind, const History& history, std::mt19937_64& random) {
  // From a random place on; from the start if there is none behind it.
  for (const size_t from : {static_cast<size_t>(random() % (history.size() + 1)), size_t{0}}) {
    const int first = static_cast<int>(random() % kMembers);
    for (int turn = 0; turn < kMembers; ++turn) {
      const int member = (first + turn) % kMembers;
      auto spoilt = kind == Plant::kStaleRead    ? stale_read(history, member, from)
                    : kind == Plant::kLostUpdate ? lost_update(history, member, from)
                                                 : torn_transaction(history, member, from);
      if (spoilt) return spoilt;
    }
  }
  return std::nullopt;
}

}  // namespace millrace::linearizability
