#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/connector.h"

namespace millrace::connectors {

/// Changes of the table `films` in a frame, as records: the i-th inserts the film `Film (i mod 10)`
/// of 2013 with n = i.
class Changes {
 public:
  /// With a transaction's id they are all one transaction.
  explicit Changes(int count, Lsn first_lsn = 100, std::string_view transaction = {}) {
    table_.name = "films";
    table_.generation = 2000;
    table_.key.partition.name = "title";
    table_.key.sort.emplace();
    table_.key.sort->name = "year";
    table_.key.sort->type = ValueType::kNumber;
    FrameBuilder builder(first_lsn);
    for (int i = 0; i < count; ++i) {
      if (i == 0 || transaction.empty()) builder.begin_entry(1'790'000'000'123);
      if (i == 0 && !transaction.empty())
        builder.add_field(EntryField::kTransactionId, transaction);
      const std::string image = film(i);
      const std::string key =
          store_key(table_.key, table_.generation, ItemView(image).attributes(), false).value();
      builder.add_change(ChangeKind::kInsert, key, image, std::nullopt);
      if (i == count - 1 || transaction.empty()) builder.end_entry();
    }
    frame_ = std::move(builder).finish(0, 0, {});
    for (const EntryView& entry : *frame_) {
      for (const ChangeView& change : entry) {
        entries_.push_back(entry);
        changes_.push_back(change);
      }
    }
  }

  /// With the tickets from `first_ticket` on.
  std::vector<Record> records(uint64_t first_ticket = 0) const {
    std::vector<Record> records;
    for (size_t i = 0; i < changes_.size(); ++i)
      records.push_back({first_ticket + i, &table_, &changes_[i], &entries_[i]});
    return records;
  }

 private:
  static std::string film(int i) {
    ItemTree item;
    item.emplace("title", Value::string("Film " + std::to_string(i % 10)));
    item.emplace("year", Value::number(Number::parse("2013").value()));
    item.emplace("n", Value::number(Number::parse(std::to_string(i)).value()));
    return encode_item(item);
  }

  Table table_;
  FramePtr frame_;
  std::vector<EntryView> entries_;
  std::vector<ChangeView> changes_;
};

}  // namespace millrace::connectors
