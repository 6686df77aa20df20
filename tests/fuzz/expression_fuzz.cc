#include <cstdint>
#include <cstdlib>

#include "core/expr/expression.h"
#include "core/expr/key_condition.h"
#include "core/model/item_json.h"
#include "fuzz_target.h"

// Every text is refused, or runs on an item: as a condition, a key condition, an update and a
// projection.

namespace {

using namespace millrace;

constexpr std::string_view kNames = R"({"#a":"a","#n":"n","#l":"l"})";
constexpr std::string_view kValues =
    R"({":n":{"N":"5"},":s":{"S":"x"},":l":{"L":[{"N":"1"}]},":m":{"M":{"k":{"S":"v"}}},)"
    R"(":ss":{"SS":["a","b"]},":b":{"B":"AQ=="},":t":{"BOOL":true},":N":{"S":"N"}})";
constexpr std::string_view kItem =
    R"({"a":{"S":"x"},"n":{"N":"3"},"l":{"L":[{"N":"1"},{"M":{"k":{"L":[]}}}]},)"
    R"("m":{"M":{"k":{"S":"v"},"d":{"M":{}}}},"ss":{"SS":["a"]},"b":{"B":"AQID"},"pk":{"S":"p"}})";

Bindings bindings() {
  Bindings bindings;
  simdjson::ondemand::parser parser;
  simdjson::padded_string names(kNames), values(kValues);
  auto document = parser.iterate(names);
  if (!bindings.parse_names(document.get_object())) std::abort();
  document = parser.iterate(values);
  if (!bindings.parse_values(document.get_object())) std::abort();
  return bindings;
}

const std::string& item() {
  static const std::string encoded = [] {
    simdjson::ondemand::parser parser;
    simdjson::padded_string json(kItem);
    auto document = parser.iterate(json);
    std::string out;
    if (!parse_item(document.get_object(), out)) std::abort();
    return out;
  }();
  return encoded;
}

void check_error(const Error& error) {
  if (error.code != ErrorCode::kValidation || error.message.empty()) std::abort();
}

void check_item(const std::string& encoded) {
  if (!validate_item(encoded)) std::abort();
}

void run_update(std::string_view text) {
  static Bindings all = bindings();
  Result<Update> update = Update::parse(text, all);
  if (!update) return check_error(update.error());
  Result<ItemTree> updated = update->apply(decode_item(ItemView(item())), true);
  if (!updated) return check_error(updated.error());
  check_item(encode_item(*updated));
  check_item(select_paths(ItemView(item()), update->paths()));
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  return {
      "#a = :s AND (n > :n OR NOT attribute_exists(l[1].k))",
      "n BETWEEN :n AND :n OR a IN (:s, :n, b)",
      "size(l) >= :n and contains(ss, :s) and begins_with(a, :s) and attribute_type(n, :N)",
      "pk = :s AND n BETWEEN :n AND :n",
      "pk = :s AND begins_with(n, :s)",
      "b < :b AND n = :n AND pk = :s",
      "SET a = :s, m.d.x = if_not_exists(m.q, :n) + :n, l[1].k = list_append(l, :l) REMOVE l[0], b "
      "ADD n :n, ss :ss",
      "DELETE ss :ss SET #n = (n - :n)",
      "a, #n, l[0], l[1].k, m.d",
  };
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Expressions come out of JSON, so they are UTF-8.
  if (!simdjson::validate_utf8(text.data(), text.size())) return 0;
  static Bindings all = bindings();
  if (auto condition = Condition::parse(text, "ConditionExpression", all)) {
    (void)condition->evaluate(ItemView(item()));
    (void)condition->evaluate(ItemView());
    (void)condition->attribute_names();
  } else {
    check_error(condition.error());
  }
  const IndexKeySchema key{{{"pk", ValueType::kString}},
                           {{"n", ValueType::kNumber}, {"b", ValueType::kBinary}}};
  if (auto written = parse_key_condition(text, all); !written) {
    check_error(written.error());
  } else if (auto terms = key_terms(**written); !terms) {
    check_error(terms.error());
  } else if (auto condition = KeyCondition::of(*terms, key); !condition) {
    check_error(condition.error());
  }
  run_update(text);
  if (auto projection = Projection::parse(text, all)) {
    check_item(projection->apply(ItemView(item())));
  } else {
    check_error(projection.error());
  }
  return 0;
}
