#include "checker.h"

#include <algorithm>
#include <unordered_set>

namespace millrace::linearizability {

namespace {

// Operations under way have a place each, so that a set of them is one word.
constexpr size_t kPlaces = 64;
constexpr size_t kContextOperations = 25;

struct Configuration {
  State state;
  uint64_t happened = 0;  // of the operations under way, by place
  bool operator==(const Configuration&) const = default;
};

struct Hash {
  size_t operator()(const Configuration& one) const {
    uint64_t hash = one.happened;
    for (Value value : one.state) {
      hash = (hash ^ static_cast<uint64_t>(value)) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 29;
    }
    return hash;
  }
};

using Configurations = std::unordered_set<Configuration, Hash>;

bool holds(const Step& step, Value now) {
  switch (step.condition) {
    case Condition::kNone:
      return true;
    case Condition::kAbsent:
      return now == kAbsent;
    case Condition::kPresent:
      return now != kAbsent;
    case Condition::kEquals:
      return now == step.expected;
  }
  return false;
}

Value effect_of(const Step& step, Value now) {
  switch (step.effect) {
    case Effect::kNone:
      return now;
    case Effect::kPut:
      return step.value;
    case Effect::kAdd:
      return (now == kAbsent ? 0 : now) + step.value;
    case Effect::kDelete:
      return kAbsent;
  }
  return now;
}

struct Event {
  int64_t time_ns;
  bool is_return;
  size_t operation;
};

std::vector<Event> events_of(const History& history) {
  std::vector<Event> events;
  events.reserve(2 * history.size());
  for (size_t i = 0; i < history.size(); ++i) {
    events.push_back({history[i].call_ns, false, i});
    events.push_back({history[i].return_ns, true, i});
  }
  // Of two at the same time the call is first: then they overlap, which allows more.
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    if (a.time_ns != b.time_ns) return a.time_ns < b.time_ns;
    if (a.is_return != b.is_return) return b.is_return;
    return a.operation < b.operation;
  });
  return events;
}

std::string text_of(Value value) { return value == kAbsent ? "-" : std::to_string(value); }

class Search {
 public:
  Search(const History& history, size_t bound) : history_(history), bound_(bound) {
    places_.fill(nullptr);
    place_of_.resize(history.size());
    configurations_.insert({kEmptyState});
  }

  Verdict run() {
    Verdict verdict;
    for (const Event& event : events_of(history_)) {
      if (!event.is_return) {
        if (!begin(event.operation)) return {false, "too many operations at once", most_};
        continue;
      }
      before_ = configurations_;
      const size_t place = place_of_[event.operation];
      const bool bounded = end(history_[event.operation], place);
      if (!bounded) return {false, "given up: too many orders are possible", most_, true};
      if (configurations_.empty()) return {false, explain(event.operation), most_};
      places_[place] = nullptr;
      most_ = std::max(most_, configurations_.size());
    }
    verdict.configurations_max = most_;
    return verdict;
  }

 private:
  bool begin(size_t operation) {
    const auto free = std::find(places_.begin(), places_.end(), nullptr);
    if (free == places_.end()) return false;
    *free = &history_[operation];
    place_of_[operation] = static_cast<size_t>(free - places_.begin());
    return true;
  }

  /// Keeps the configurations in which the operation at `place` has happened, reached by any order
  /// of the others under way; and those without it, if nobody knows that it happened. False if
  /// there are too many.
  bool end(const Operation& operation, size_t place) {
    const uint64_t bit = uint64_t{1} << place;
    const bool may_be_left_out = operation.outcome == Outcome::kUnknown;
    std::vector<Configuration> open(configurations_.begin(), configurations_.end());
    Configurations seen = std::move(configurations_);
    configurations_.clear();
    if (may_be_left_out) {
      for (const Configuration& one : open) {
        if ((one.happened & bit) == 0) configurations_.insert(one);
      }
    }
    while (!open.empty()) {
      const Configuration one = open.back();
      open.pop_back();
      if (one.happened & bit) {
        configurations_.insert({one.state, one.happened & ~bit});
        continue;
      }
      for (size_t other = 0; other < kPlaces; ++other) {
        const uint64_t other_bit = uint64_t{1} << other;
        if (places_[other] == nullptr || (one.happened & other_bit)) continue;
        const auto next = state_after(*places_[other], one.state);
        if (!next) continue;
        const Configuration reached{*next, one.happened | other_bit};
        if (seen.insert(reached).second) open.push_back(reached);
      }
      if (seen.size() > bound_) return false;
    }
    return true;
  }

  std::string explain(size_t operation) const {
    const Operation& bad = history_[operation];
    std::string text = "no order explains this answer:\n  " + describe(bad) + "\nstates before it:";
    size_t shown = 0;
    for (const Configuration& one : before_) {
      if (++shown > 8) break;
      text += "\n ";
      for (Value value : one.state) text += ' ' + text_of(value);
    }
    text += "\nwhat overlaps with it or comes shortly before, by return:";
    std::vector<const Operation*> near;
    for (const Operation& one : history_) {
      if (&one != &bad && one.call_ns <= bad.return_ns) near.push_back(&one);
    }
    const size_t count = std::min(near.size(), kContextOperations);
    const auto by_return = [](auto* a, auto* b) { return a->return_ns > b->return_ns; };
    std::partial_sort(near.begin(), near.begin() + static_cast<ptrdiff_t>(count), near.end(),
                      by_return);
    for (size_t i = count; i > 0; --i) text += "\n  " + describe(*near[i - 1]);
    return text;
  }

  const History& history_;
  const size_t bound_;
  std::array<const Operation*, kPlaces> places_;  // the operations under way
  std::vector<size_t> place_of_;
  Configurations configurations_, before_;
  size_t most_ = 1;
};

}  // namespace

std::string describe(const Operation& operation) {
  constexpr std::string_view kEffects[] = {"read", "put", "add", "delete"};
  constexpr std::string_view kConditions[] = {"", " if absent", " if present", " if "};
  constexpr std::string_view kOutcomes[] = {"done", "refused", "no answer"};
  std::string text = '[' + std::to_string(operation.call_ns / 1000) + ", " +
                     (operation.return_ns == kNever ? std::string("end")
                                                    : std::to_string(operation.return_ns / 1000)) +
                     "] us, client " + std::to_string(operation.client) + ": ";
  text.append(operation.name).append(" ");
  for (const Step& step : operation.steps) {
    text += '{' + std::to_string(step.member) + ": ";
    text += kEffects[static_cast<size_t>(step.effect)];
    if (step.effect == Effect::kPut || step.effect == Effect::kAdd)
      text += ' ' + text_of(step.value);
    text += kConditions[static_cast<size_t>(step.condition)];
    if (step.condition == Condition::kEquals) text += text_of(step.expected);
    if (step.refused) text += " REFUSED";
    if (step.before) text += ", was " + text_of(*step.before);
    if (step.after) text += ", is " + text_of(*step.after);
    text += "} ";
  }
  return text.append(kOutcomes[static_cast<size_t>(operation.outcome)]);
}

std::optional<State> state_after(const Operation& operation, const State& state) {
  State next = state;
  for (const Step& step : operation.steps) {
    const Value now = state[static_cast<size_t>(step.member)];
    if (operation.outcome != Outcome::kUnknown) {
      if (holds(step, now) == step.refused) return std::nullopt;
      if (step.before && *step.before != now) return std::nullopt;
    } else if (!holds(step, now)) {
      return std::nullopt;  // it has no effect then, which leaving it out stands for
    }
    if (operation.outcome == Outcome::kRefused) continue;
    Value& after = next[static_cast<size_t>(step.member)];
    after = effect_of(step, now);
    if (step.after && *step.after != after) return std::nullopt;
  }
  return next;
}

Verdict check(const History& history, size_t configurations_bound) {
  return Search(history, configurations_bound).run();
}

}  // namespace millrace::linearizability
