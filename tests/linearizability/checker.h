#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "history.h"

namespace millrace::linearizability {

/// The state after `operation` if it can have happened in `state` with the answer that it got.
std::optional<State> state_after(const Operation& operation, const State& state);

struct Verdict {
  bool linearizable = true;
  std::string why;                // not: which answer no order explains, and what surrounds it
  size_t configurations_max = 0;  // how many ways to explain the past were kept at most
  bool given_up = false;          // there were too many: it may be linearizable or not
};

/// Whether the operations of one group, of which none existed before, happened in some order in
/// which each took its place between its call and its return, and which explains all answers.
///
/// Lowe's just-in-time linearization ("Testing for linearizability", 2017): goes through calls and
/// returns by time and keeps every state that the group may have, together with which of the
/// operations under way have happened in it. An operation is put in order only when it returns,
/// after any others that are under way.
///
/// More ways than `configurations_bound` are given up: as not linearizable, but told apart.
Verdict check(const History& history, size_t configurations_bound = 2'000'000);

}  // namespace millrace::linearizability
