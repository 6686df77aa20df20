#include "tests/sim/model.h"

namespace millrace::sim {
namespace {

void apply(const Key& key, const std::optional<Item>& after, Items& items) {
  if (after) {
    items[key] = *after;
  } else {
    items.erase(key);
  }
}

}  // namespace

std::string Key::json() const {
  return "{\"p\":{\"S\":\"" + std::to_string(partition) + "\"},\"s\":{\"N\":\"" +
         std::to_string(sort) + "\"}}";
}

std::string json(const Key& key, const Item& item) {
  std::string out = "{";
  if (item.count) out += "\"n\":{\"N\":\"" + std::to_string(*item.count) + "\"},";
  out += "\"p\":{\"S\":\"" + std::to_string(key.partition) + "\"},";
  if (!item.pad.empty()) out += "\"pad\":{\"S\":\"" + item.pad + "\"},";
  out += "\"s\":{\"N\":\"" + std::to_string(key.sort) + "\"},";
  if (item.until) out += "\"u\":{\"N\":\"" + std::to_string(*item.until) + "\"},";
  out += "\"v\":{\"N\":\"" + std::to_string(item.value) + "\"}}";
  return out;
}

void Model::write(const Key& key, std::optional<Item> after, uint64_t operation, bool transaction) {
  std::optional<Item> before;
  if (auto it = submitted_.find(key); it != submitted_.end()) before = it->second;
  if (before == after) return;
  apply(key, after, submitted_);
  changes_.push_back({key, std::move(before), std::move(after), operation, transaction, false});
}

void Model::expire(const Key& key, uint64_t operation) {
  size_t before = changes_.size();
  write(key, std::nullopt, operation, false);
  if (changes_.size() > before) changes_.back().expiry = true;
}

void Model::confirm() {
  const Change& change = changes_[durable_count_++];
  apply(change.key, change.after, durable_);
}

void Model::forget_unconfirmed() {
  changes_.resize(durable_count_);
  submitted_ = durable_;
}

}  // namespace millrace::sim
