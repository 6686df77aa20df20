#include <algorithm>

#include "tests/core/expr/requests.h"
#include "tests/core/model/random_value.h"

// Random REMOVEs of random items, against a model that marks what goes and then walks the item
// once.

namespace millrace {
namespace {

using testing::json_of;

using Steps = std::vector<std::string>;  // names, and indexes as "[1]"

// Every place in `value`, which stands at `at`.
void append_places(const Value& value, const Steps& at, std::vector<Steps>& places) {
  auto add = [&](const Value& inner, std::string step) {
    Steps place = at;
    place.push_back(std::move(step));
    places.push_back(place);
    append_places(inner, place, places);
  };
  for (size_t i = 0; i < value.list().size(); ++i)
    add(value.list()[i], "[" + std::to_string(i) + "]");
  for (const auto& [name, inner] : value.map()) add(inner, name);
}

// `value` without the places that go.
Value without(const Value& value, const Steps& at, const std::vector<Steps>& going) {
  auto goes = [&](const Steps& place) {
    return std::find(going.begin(), going.end(), place) != going.end();
  };
  if (value.type() == ValueType::kList) {
    Value::List kept;
    for (size_t i = 0; i < value.list().size(); ++i) {
      Steps place = at;
      place.push_back("[" + std::to_string(i) + "]");
      if (!goes(place)) kept.push_back(without(value.list()[i], place, going));
    }
    return Value::list(std::move(kept));
  }
  if (value.type() != ValueType::kMap) return value;
  Value::Map kept;
  for (const auto& [name, inner] : value.map()) {
    Steps place = at;
    place.push_back(name);
    if (!goes(place)) kept.emplace(name, without(inner, place, going));
  }
  return Value::map(std::move(kept));
}

bool begins(const Steps& path, const Steps& beginning) {
  return path.size() >= beginning.size() &&
         std::equal(beginning.begin(), beginning.end(), path.begin());
}

// Lists and maps of letters, with more in them than random_value's.
Value random_tree(Random& random, int levels) {
  const bool leaf = levels == 0 || random.one_in(4);
  if (leaf) return Value::string("x");
  const size_t size = random.below(7);
  if (random.one_in(3)) {
    Value::Map map;
    for (size_t i = 0; i < size; ++i)
      map.insert_or_assign(std::string(1, static_cast<char>('a' + i)),
                           random_tree(random, levels - 1));
    return Value::map(std::move(map));
  }
  Value::List list;
  for (size_t i = 0; i < size; ++i) list.push_back(random_tree(random, levels - 1));
  return Value::list(std::move(list));
}

TEST(RandomRemovals, AgreeWithTheModel) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 3000; ++round) {
    ItemTree item;
    for (const char* name : {"m", "n", "o"}) item.emplace(name, random_tree(random, 4));
    const Value whole = Value::map(item);
    std::vector<Steps> places, going;
    append_places(whole, {}, places);
    for (size_t i = 1 + random.below(12); i > 0; --i) {
      const Steps& place = places[random.below(places.size())];
      const bool overlaps = std::any_of(going.begin(), going.end(), [&](const Steps& other) {
        return begins(place, other) || begins(other, place);
      });
      if (!overlaps) going.push_back(place);
    }
    std::string text = "REMOVE ";
    for (const Steps& place : going) {
      if (text.size() > 7) text += ", ";
      for (size_t i = 0; i < place.size(); ++i)
        text.append(i > 0 && place[i][0] != '[' ? "." : "").append(place[i]);
    }
    SCOPED_TRACE(text);
    Bindings bindings;
    const Result<Update> update = Update::parse(text, bindings);
    ASSERT_TRUE(update) << update.error().message;
    const Result<ItemTree> result = update->apply(item, true);
    ASSERT_TRUE(result) << result.error().message;
    ASSERT_EQ(json_of(encode_item(*result)), json_of(encode_item(without(whole, {}, going).map())));
  }
}

}  // namespace
}  // namespace millrace
