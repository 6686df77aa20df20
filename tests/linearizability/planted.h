#pragma once

#include <optional>
#include <random>
#include <string_view>

#include "history.h"

namespace millrace::linearizability {

/// A wrong answer of a kind that a broken store could give.
enum class Plant : uint8_t { kStaleRead, kLostUpdate, kTornTransaction };
inline constexpr Plant kPlants[] = {Plant::kStaleRead, Plant::kLostUpdate, Plant::kTornTransaction};
std::string_view name_of(Plant kind);

/// `history`, linearizable and of one group, with one answer changed so that no order explains it;
/// none if there is no place for this kind. Relies on an item never having the same value again
/// once it had another (absence apart).
std::optional<History> with_planted(Plant kind, const History& history, std::mt19937_64& random);

}  // namespace millrace::linearizability
