#pragma once

#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/model/value.h"

namespace millrace::testing {

inline std::string random_text(Random& random, size_t size_max = 12) {
  static const std::string kPieces[] = {"a",
                                        "b",
                                        "z",
                                        "0",
                                        " ",
                                        "\"",
                                        "\\",
                                        "\n",
                                        "\x01",
                                        "\xc3\xa9",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80"};
  std::string text;
  for (size_t i = random.below(size_max + 1); i > 0; --i) {
    text += kPieces[random.below(std::size(kPieces))];
  }
  return text;
}

// A name is a text that is not empty.
inline std::string random_name(Random& random, size_t size_max) {
  std::string name;
  while (name.empty()) name = random_text(random, size_max);
  return name;
}

inline std::string random_bytes(Random& random, size_t size_max = 12) {
  std::string bytes;
  for (size_t i = random.below(size_max + 1); i > 0; --i) {
    bytes += static_cast<char>(random.below(256));
  }
  return bytes;
}

inline Number random_small_number(Random& random) {
  return Number::parse(std::to_string(static_cast<int64_t>(random.below(2000)) - 1000) +
                       (random.one_in(2) ? "" : "." + std::to_string(random.below(100))))
      .value();
}

inline Value random_set(Random& random) {
  const ValueType types[] = {ValueType::kStringSet, ValueType::kNumberSet, ValueType::kBinarySet};
  const ValueType type = types[random.below(3)];
  std::vector<std::string> elements;
  for (size_t i = 1 + random.below(4); i > 0; --i) {
    std::string element;
    if (type == ValueType::kStringSet) {
      element = random_text(random);
    } else if (type == ValueType::kBinarySet) {
      element = random_bytes(random);
    } else {
      random_small_number(random).append_ordered(element);
    }
    elements.push_back(std::move(element));
  }
  return Value::set(type, std::move(elements));
}

inline Value random_value(Random& random, int levels = 4) {
  switch (random.below(levels > 1 ? 9 : 7)) {
    case 0:
      return Value::null();
    case 1:
      return Value::boolean(random.one_in(2));
    case 2:
    case 3:
      return Value::number(random_small_number(random));
    case 4:
      return Value::string(random_text(random));
    case 5:
      return Value::binary(random_bytes(random));
    case 6:
      return random_set(random);
    case 7: {
      Value::List list;
      for (size_t i = random.below(4); i > 0; --i) list.push_back(random_value(random, levels - 1));
      return Value::list(std::move(list));
    }
    default: {
      Value::Map map;
      for (size_t i = random.below(4); i > 0; --i) {
        map.insert_or_assign(random_name(random, 3), random_value(random, levels - 1));
      }
      return Value::map(std::move(map));
    }
  }
}

inline ItemTree random_item(Random& random) {
  ItemTree item;
  for (size_t i = random.below(8); i > 0; --i) {
    item.insert_or_assign(random_name(random, 4), random_value(random));
  }
  return item;
}

}  // namespace millrace::testing
