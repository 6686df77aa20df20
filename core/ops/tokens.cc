#include "core/ops/tokens.h"

#include <charconv>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/hash.h"
#include "core/model/schema.h"

namespace millrace {

namespace {

// New tokens between two looks, tokens looked at by one, and the time after which a new token is
// enough. With eight looked at for each new one, about an eighth of all that are kept have expired.
constexpr size_t kNewTokensPerLook = 32;
constexpr size_t kTokensPerLook = 256;
constexpr int64_t kLookIntervalNs = 30'000'000'000;

Value integer_value(uint64_t number) {
  return Value::number(Number::parse(std::to_string(number)).value());
}

Error damaged() {
  return make_error(ErrorCode::kCorruption, "a transaction token's item cannot be read");
}

Result<uint64_t> integer_of(std::optional<ValueView> value) {
  if (!value || value->type() != ValueType::kNumber) return damaged();
  std::string digits = value->number().text();
  uint64_t number = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return damaged();
  return number;
}

class RemoveExpired final : public Command {
 public:
  explicit RemoveExpired(std::vector<std::string> keys) : keys_(std::move(keys)) {
    for (const std::string& key : keys_) bytes_ += key.size() + sizeof key;
  }
  size_t bytes() const override { return bytes_; }
  void evaluate(Commit& commit) override {
    std::string image;
    for (const std::string& key : keys_) {
      Result<bool> found = commit.get(key, image);
      if (!found || !*found) continue;
      // The token may have been used anew since the view was taken; and it is by entry times that
      // tokens protect.
      Result<TokenRecord> record = decode_token(ItemView(image));
      if (record && record->expired(commit.time_ms())) commit.remove(key, std::nullopt);
    }
  }
  void done(const Status&) override {}

 private:
  const std::vector<std::string> keys_;
  size_t bytes_ = sizeof *this;
};

}  // namespace

void RequestHash::add(std::string_view field) { put_fixed64(hashes_, xxh3_64(field)); }

void RequestHash::add(std::optional<std::string_view> field) {
  if (field) return add(*field);
  put_fixed64(hashes_, 0);
}

void RequestHash::add(const std::map<std::string, std::string, std::less<>>& entries) {
  put_fixed64(hashes_, entries.size());
  for (const auto& [name, value] : entries) {
    add(std::string_view(name));
    add(std::string_view(value));
  }
}

uint64_t RequestHash::finish() const { return xxh3_64(hashes_); }

std::string token_key(std::string_view token) {
  std::string key;
  append_partition_prefix(kTokenGeneration, token, key);
  return key;
}

std::string encode_token(std::string_view token, const TokenRecord& record) {
  std::string hash;
  put_fixed64(hash, record.request_hash);
  Value::Map units;
  for (const auto& [table, halves] : record.read_units)
    units.emplace(table, integer_value(halves.count));
  return encode_item({{"Token", Value::string(std::string(token))},
                      {"Hash", Value::binary(std::move(hash))},
                      {"HashForm", integer_value(record.hash_form)},
                      {"Time", integer_value(static_cast<uint64_t>(record.time_ms))},
                      {"ReadHalfUnits", Value::map(std::move(units))}});
}

Result<TokenRecord> decode_token(ItemView item) {
  TokenRecord record;
  auto hash = item.get("Hash");
  auto units = item.get("ReadHalfUnits");
  if (!hash || hash->type() != ValueType::kBinary || hash->scalar().size() != 8 || !units ||
      units->type() != ValueType::kMap) {
    return damaged();
  }
  record.request_hash = get_fixed64(hash->scalar().data());
  ASSIGN_OR_RETURN(record.hash_form, integer_of(item.get("HashForm")));
  ASSIGN_OR_RETURN(uint64_t time_ms, integer_of(item.get("Time")));
  record.time_ms = static_cast<int64_t>(time_ms);
  for (MapView::Entry entry : units->map()) {
    ASSIGN_OR_RETURN(uint64_t halves, integer_of(entry.value));
    record.read_units.emplace(entry.name, HalfUnits{static_cast<size_t>(halves)});
  }
  return record;
}

std::unique_ptr<Command> TokenPurge::next(const Engine& engine, const Clock& clock) {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return nullptr;  // another thread is looking
  const int64_t now_ns = clock.monotonic_ns();
  if (++since_look_ < kNewTokensPerLook && now_ns < look_at_ns_) return nullptr;
  since_look_ = 0;
  look_at_ns_ = now_ns + kLookIntervalNs;
  auto command = expired_tokens_command(*engine.view(), clock.wall_ms(), kTokensPerLook, from_);
  // What cannot be read is no reason to refuse a transaction; its own reads say so where it
  // matters.
  return command ? std::move(*command) : nullptr;
}

Result<std::unique_ptr<Command>> expired_tokens_command(const View& view, int64_t now_ms,
                                                        size_t count_max, std::string& from) {
  std::string begin;
  append_generation_prefix(kTokenGeneration, begin);
  const std::string end = prefix_successor(begin);
  auto range = view.range(from.empty() ? begin : from, end, false);
  from.clear();
  std::vector<std::string> keys;
  for (size_t looked = 0; range->valid(); range->next()) {
    if (looked++ == count_max) {
      from = range->key();
      break;
    }
    ASSIGN_OR_RETURN(TokenRecord record, decode_token(ItemView(range->image())));
    if (record.expired(now_ms)) keys.emplace_back(range->key());
  }
  RETURN_IF_ERROR(range->status());
  if (keys.empty()) return std::unique_ptr<Command>();
  return std::unique_ptr<Command>(std::make_unique<RemoveExpired>(std::move(keys)));
}

}  // namespace millrace
