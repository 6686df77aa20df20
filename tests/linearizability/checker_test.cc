#include "checker.h"

#include <algorithm>
#include <random>

#include "planted.h"

namespace millrace::linearizability {
namespace {

Operation operation(int64_t call_ns, int64_t return_ns, std::vector<Step> steps,
                    Outcome outcome = Outcome::kDone) {
  Operation made;
  made.name = "test";
  made.call_ns = call_ns;
  made.return_ns = return_ns;
  made.outcome = outcome;
  made.steps = std::move(steps);
  return made;
}

Step put(int member, Value value) {
  return {.member = member, .effect = Effect::kPut, .value = value, .before = {}, .after = {}};
}
Step add(int member, Value value, std::optional<Value> after) {
  return {.member = member, .effect = Effect::kAdd, .value = value, .before = {}, .after = after};
}
Step read(int member, Value seen) { return {.member = member, .before = seen, .after = {}}; }

TEST(Checker, takes_operations_that_follow_each_other) {
  EXPECT_TRUE(check({operation(0, 1, {read(0, kAbsent)}), operation(2, 3, {put(0, 5)}),
                     operation(4, 5, {read(0, 5)}), operation(6, 7, {add(0, 2, 7)}),
                     operation(8, 9, {{.effect = Effect::kDelete, .before = 7, .after = {}}}),
                     operation(10, 11, {read(0, kAbsent)})})
                  .linearizable);
}

TEST(Checker, takes_either_order_of_what_overlaps) {
  for (Value seen : {Value{1}, Value{2}}) {
    EXPECT_TRUE(check({operation(0, 10, {put(0, 1)}), operation(0, 10, {put(0, 2)}),
                       operation(11, 12, {read(0, seen)})})
                    .linearizable);
  }
  EXPECT_FALSE(check({operation(0, 10, {put(0, 1)}), operation(0, 10, {put(0, 2)}),
                      operation(11, 12, {read(0, 1)}), operation(13, 14, {read(0, 2)})})
                   .linearizable);
}

TEST(Checker, finds_a_stale_read) {
  const Verdict verdict = check(
      {operation(0, 1, {put(0, 1)}), operation(2, 3, {put(0, 2)}), operation(4, 5, {read(0, 1)})});
  EXPECT_FALSE(verdict.linearizable);
  EXPECT_NE(verdict.why.find("was 1"), std::string::npos) << verdict.why;
}

TEST(Checker, finds_a_lost_update) {
  EXPECT_FALSE(
      check({operation(0, 10, {add(0, 1, 1)}), operation(0, 10, {add(0, 1, 1)})}).linearizable);
  EXPECT_TRUE(
      check({operation(0, 10, {add(0, 1, 2)}), operation(0, 10, {add(0, 1, 1)})}).linearizable);
}

TEST(Checker, finds_a_torn_transaction) {
  const Operation write = operation(0, 10, {put(0, 1), put(3, 1)});
  EXPECT_TRUE(check({write, operation(5, 6, {read(0, kAbsent), read(3, kAbsent)})}).linearizable);
  EXPECT_TRUE(check({write, operation(5, 6, {read(0, 1), read(3, 1)})}).linearizable);
  EXPECT_FALSE(check({write, operation(5, 6, {read(0, 1), read(3, kAbsent)})}).linearizable);
}

TEST(Checker, finds_a_read_that_goes_back_while_a_write_is_under_way) {
  EXPECT_FALSE(check({operation(0, 10, {put(0, 1)}), operation(1, 2, {read(0, 1)}),
                      operation(3, 4, {read(0, kAbsent)})})
                   .linearizable);
}

TEST(Checker, holds_a_condition_to_its_answer) {
  Step if_absent = put(0, 2);
  if_absent.condition = Condition::kAbsent;
  Step refused = if_absent;
  refused.refused = true;
  EXPECT_FALSE(check({operation(0, 1, {put(0, 1)}), operation(2, 3, {if_absent})}).linearizable);
  EXPECT_TRUE(check({operation(0, 1, {put(0, 1)}), operation(2, 3, {refused}, Outcome::kRefused),
                     operation(4, 5, {read(0, 1)})})
                  .linearizable);
  EXPECT_FALSE(check({operation(0, 1, {refused}, Outcome::kRefused)}).linearizable);
}

TEST(Checker, lets_what_was_not_answered_happen_or_not_until_the_crash) {
  const Operation lost = operation(0, 10, {put(0, 1)}, Outcome::kUnknown);
  EXPECT_TRUE(check({lost, operation(11, 12, {read(0, 1)})}).linearizable);
  EXPECT_TRUE(check({lost, operation(11, 12, {read(0, kAbsent)})}).linearizable);
  EXPECT_FALSE(check({lost, operation(11, 12, {read(0, kAbsent)}), operation(13, 14, {read(0, 1)})})
                   .linearizable);
  EXPECT_FALSE(check({lost, operation(1, 2, {read(0, 1)}), operation(11, 12, {read(0, kAbsent)})})
                   .linearizable);
}

TEST(Checker, gives_up_beyond_its_bound) {
  History history;
  for (Value i = 1; i <= 12; ++i) history.push_back(operation(0, 10, {add(0, Value{1} << i, {})}));
  EXPECT_TRUE(check(history).linearizable);
  const Verdict verdict = check(history, 100);
  EXPECT_FALSE(verdict.linearizable);
  EXPECT_TRUE(verdict.given_up);
  EXPECT_NE(verdict.why.find("given up"), std::string::npos);
}

/// What clients see of a group that is kept right: each operation happens at a moment of its own
/// within its time.
History right_history(std::mt19937_64& random) {
  History history;
  State state = kEmptyState;
  Value next = 1000;
  for (int64_t moment = 0; moment < 3000; ++moment) {
    Operation made = operation(moment * 10 - static_cast<int64_t>(random() % 40),
                               moment * 10 + 1 + static_cast<int64_t>(random() % 40), {});
    const bool transaction = random() % 3 == 0, reads = random() % 2 == 0;
    const int first = transaction ? 0 : static_cast<int>(random() % kMembers);
    for (int member = first; member < (transaction ? kMembers : first + 1); ++member) {
      const Value now = state[static_cast<size_t>(member)];
      if (reads) {
        made.steps.push_back(read(member, now));
      } else if (random() % 2 == 0) {
        made.steps.push_back(put(member, ++next));
      } else {
        next += 1000;
        made.steps.push_back(add(member, next, (now == kAbsent ? 0 : now) + next));
      }
    }
    state = state_after(made, state).value();
    if (!reads && random() % 50 == 0) {
      made.outcome = Outcome::kUnknown;
      for (Step& step : made.steps) step.after.reset();
    }
    history.push_back(std::move(made));
  }
  return history;
}

TEST(Checker, takes_random_right_histories_and_finds_what_is_planted_in_them) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 5; ++round) {
    const History history = right_history(random);
    const Verdict verdict = check(history);
    ASSERT_TRUE(verdict.linearizable) << verdict.why;
    for (const Plant kind : kPlants) {
      const auto spoilt = with_planted(kind, history, random);
      ASSERT_TRUE(spoilt) << "no place for a " << name_of(kind);
      EXPECT_FALSE(check(*spoilt).linearizable) << name_of(kind);
    }
  }
}

}  // namespace
}  // namespace millrace::linearizability
