#include "core/ops/page_reader.h"

#include "core/model/item_json.h"
#include "core/ops/index_changes.h"

namespace millrace {

namespace {

// The key attributes of an item or entry: the table's and the index's.
void render_key(const PageRequest& page, ItemView item, std::string& out) {
  ItemTree key;
  auto take = [&](const KeyAttribute& attribute) {
    if (auto value = item.get(attribute.name)) key.emplace(attribute.name, Value::decode(*value));
  };
  take(page.table->key.partition);
  if (page.table->key.sort) take(*page.table->key.sort);
  if (page.index != nullptr) {
    for (const KeyAttribute& attribute : page.index->key.partition) take(attribute);
    for (const KeyAttribute& attribute : page.index->key.sort) take(attribute);
  }
  std::string encoded = encode_item(key);
  render_item(ItemView(encoded), out);
}

// What one page found.
class PageReader {
 public:
  PageReader(const View& view, const PageRequest& page) : view_(view), page_(page) {}

  Status read() {
    auto range = view_.range(page_.begin, page_.end, page_.reverse);
    for (; range->valid(); range->next()) {
      ItemView entry(range->image());
      ItemView item = entry;
      ++scanned_;
      size_.read_bytes += charged_size(entry);
      if (page_.fetch) {
        ASSIGN_OR_RETURN(item, fetch(entry));
      }
      take(item);
      if ((page_.limit && scanned_ == static_cast<size_t>(*page_.limit)) ||
          size_.read_bytes + fetched_bytes_ >= kPageBytesMax) {
        render_key(page_, entry, last_key_);
        break;
      }
    }
    return range->status();
  }

  Page page() const { return {body(), size_}; }

 private:
  std::string body() const {
    std::string body = "{";
    if (!page_.count_only) body.append("\"Items\":[").append(items_).append("],");
    body.append("\"Count\":").append(std::to_string(count_));
    body.append(",\"ScannedCount\":").append(std::to_string(scanned_));
    if (!last_key_.empty()) body.append(",\"LastEvaluatedKey\":").append(last_key_);
    return body + "}";
  }

  // The entry's item. View and index are of one moment, so it is there.
  Result<ItemView> fetch(ItemView entry) {
    ASSIGN_OR_RETURN(const std::string key, store_key(page_.table->key, page_.table->generation,
                                                      entry.attributes(), false));
    ASSIGN_OR_RETURN(const bool found, view_.get(key, fetched_));
    if (!found)
      return make_error(ErrorCode::kCorruption, "an entry of an index is of an item not there");
    const size_t bytes = charged_size(ItemView(fetched_));
    fetched_bytes_ += bytes;
    size_.fetched_units += read_units(bytes, false).count;
    return ItemView(fetched_);
  }

  void take(ItemView item) {
    if (page_.filter && !page_.filter->evaluate(item)) return;
    ++count_;
    if (page_.count_only) return;
    if (!items_.empty()) items_ += ',';
    render_projected(item, page_.projection, items_);
  }

  const View& view_;
  const PageRequest& page_;
  std::string items_;
  std::string last_key_;
  std::string fetched_;
  size_t count_ = 0;
  size_t scanned_ = 0;
  size_t fetched_bytes_ = 0;
  PageSize size_;
};

// What a page of `size` consumed.
ConsumedUnits units_of(const PageRequest& page, PageSize size) {
  ConsumedUnits units;
  const HalfUnits read = read_units(size.read_bytes, page.consistent);
  if (page.index == nullptr) {
    units.table = read;
    return units;
  }
  auto& indexes =
      page.index->kind == IndexKind::kLocal ? units.local_indexes : units.global_indexes;
  indexes[page.index->name] = read;
  // Each look-up is a read of its own.
  units.table.count = size.fetched_units * (page.consistent ? 2u : 1u);
  return units;
}

}  // namespace

Result<Page> read_page(const View& view, const PageRequest& request) {
  PageReader reader(view, request);
  RETURN_IF_ERROR(reader.read());
  return reader.page();
}

void add_capacity(const PageRequest& request, PageSize size, std::string& body) {
  body.back() = ',';
  body += "\"ConsumedCapacity\":";
  render_capacity(request.table->name, units_of(request, size), request.capacity,
                  CapacityKind::kPlain, body);
  body += '}';
}

}  // namespace millrace
