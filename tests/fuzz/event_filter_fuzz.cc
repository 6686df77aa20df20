// Patterns of event filters: one that is taken is taken again in its shortest form, which stays
// as it is, and can be asked of any change.

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "core/model/schema.h"
#include "core/model/value.h"
#include "fuzz_target.h"
#include "streams/event_filter.h"

namespace {

using namespace millrace;
using namespace millrace::streams;

/// One modification of an item with values of many types.
struct Modification {
  Modification() {
    auto table = std::make_shared<Table>();
    table->name = "films";
    table->generation = kFirstUserGeneration;
    table->key = {{"pk", ValueType::kString}, std::nullopt};
    Value::Map map;
    map.emplace("n", Value::number(Number::parse("300").value()));
    ItemTree item;
    item.emplace("pk", Value::string("k"));
    item.emplace("m", Value::map(map));
    item.emplace("l", Value::list({Value::map(map), Value::string("s"), Value::null()}));
    image = encode_item(item);
    std::string key;
    append_partition_prefix(table->generation, "k", key);
    FrameBuilder builder(100);
    builder.begin_entry(1'790'000'000'000);
    builder.add_change(ChangeKind::kModify, key, image, image);
    builder.end_entry();
    frame = std::move(builder).finish(0, 0, {});
    const EntryView entry = *frame->begin();
    change.emplace(Change{std::move(table), entry, *entry.begin()});
  }
  std::string image;
  FramePtr frame;
  std::optional<Change> change;
};

}  // namespace

std::vector<std::string> fuzz_seeds() {
  return {
      R"({"eventName":["INSERT","MODIFY"],"dynamodb":{"NewImage":{"m":{"M":{"n":{"N":["300"]}}}}}})",
      R"({"dynamodb":{"NewImage":{"m":{"M":{"n":{"N":[{"numeric":[">",0,"<=",500]}]}}}}}})",
      R"({"dynamodb":{"Keys":{"pk":{"S":[{"prefix":"k"},{"suffix":"x"},{"anything-but":["a",1]}]}}}})",
      R"({"$or":[{"eventName":["REMOVE"]},{"dynamodb":{"OldImage":{"l":{"L":{"S":["s"]}}}}}]})",
      R"({"userIdentity":{"type":[{"exists":false},null,true,"",{"equals-ignore-case":"A"}]}})",
  };
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Modification modification;
  const std::string_view pattern(reinterpret_cast<const char*>(data), size);
  const auto filter = EventFilter::parse(pattern, "us-east-1", "000000000000");
  if (!filter) {
    if (filter.error().code != ErrorCode::kValidation) std::abort();
    return 0;
  }
  const auto again = EventFilter::parse((*filter)->pattern(), "us-east-1", "000000000000");
  if (!again || (*again)->pattern() != (*filter)->pattern()) std::abort();
  if ((*filter)->matches(*modification.change) != (*again)->matches(*modification.change))
    std::abort();
  return 0;
}
