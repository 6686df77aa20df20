#include "streams/record.h"

#include <charconv>

#include "core/model/item_json.h"
#include "core/ops/table_description.h"
#include "streams/stream_ids.h"

namespace millrace::streams {
namespace {

void append_integer(int64_t value, std::string& out) {
  char digits[24];
  auto end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end.ptr);
}

size_t charged_key_size(const KeyAttribute& attribute, std::string_view scalar) {
  size_t value = scalar.size();
  if (attribute.type == ValueType::kNumber) {
    auto number = Number::from_ordered(scalar);
    value = number ? number->charged_size() : 0;
  }
  return attribute.name.size() + value;
}

size_t charged_keys_size(const Table& table, std::string_view store_key) {
  auto key = split_store_key(store_key);
  if (!key) return 0;
  size_t size = charged_key_size(table.key.partition, key->partition_scalar);
  if (table.key.sort) size += charged_key_size(*table.key.sort, key->sort_scalar);
  return size;
}

Value key_value(const KeyAttribute& attribute, std::string_view scalar) {
  if (attribute.type == ValueType::kBinary) return Value::binary(std::string(scalar));
  if (attribute.type == ValueType::kString) return Value::string(std::string(scalar));
  auto number = Number::from_ordered(scalar);
  return number ? Value::number(*number) : Value::null();
}

bool shows_new(StreamViewType view) {
  return view == StreamViewType::kNewImage || view == StreamViewType::kNewAndOldImages;
}
bool shows_old(StreamViewType view) {
  return view == StreamViewType::kOldImage || view == StreamViewType::kNewAndOldImages;
}

}  // namespace

std::string_view event_name(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kInsert:
      return "INSERT";
    case ChangeKind::kModify:
      return "MODIFY";
    case ChangeKind::kRemove:
      break;
  }
  return "REMOVE";
}

std::string key_item(const Table& table, std::string_view store_key) {
  ItemTree item;
  if (auto key = split_store_key(store_key)) {
    const KeySchema& schema = table.key;
    item.emplace(schema.partition.name, key_value(schema.partition, key->partition_scalar));
    if (schema.sort) item.emplace(schema.sort->name, key_value(*schema.sort, key->sort_scalar));
  }
  return encode_item(item);
}

void render_key_attribute(const KeyAttribute& attribute, std::string_view scalar,
                          std::string& out) {
  render_json_string(attribute.name, out);
  switch (attribute.type) {
    case ValueType::kNumber: {
      out += ":{\"N\":\"";
      // A key that is no number cannot have been written; an empty text would say so.
      if (auto number = Number::from_ordered(scalar)) number->append_text(out);
      out += "\"}";
      return;
    }
    case ValueType::kBinary:
      out += ":{\"B\":\"";
      render_base64(scalar, out);
      out += "\"}";
      return;
    default:
      out += ":{\"S\":";
      render_json_string(scalar, out);
      out += '}';
  }
}

void render_keys(const Table& table, std::string_view store_key, std::string& out) {
  out += '{';
  if (auto key = split_store_key(store_key)) {
    render_key_attribute(table.key.partition, key->partition_scalar, out);
    if (table.key.sort) {
      out += ',';
      render_key_attribute(*table.key.sort, key->sort_scalar, out);
    }
  }
  out += '}';
}

size_t record_size(const Table& table, StreamViewType view, const ChangeView& change) {
  size_t size = charged_keys_size(table, change.key);
  if (shows_new(view) && change.new_image) size += charged_size(ItemView(*change.new_image));
  if (shows_old(view) && change.old_image) size += charged_size(ItemView(*change.old_image));
  return size;
}

void append_source_arn(const Table& table, std::string_view region, std::string_view account,
                       std::string& out) {
  out += "arn:aws:dynamodb:";
  out += region;
  out += ':';
  out += account;
  out += ":table/";
  out += table.name;
  if (const StreamDefinition* stream = table.enabled_stream()) {
    out += "/stream/";
    out += stream->label;
  }
}

void render_record(const Table& table, std::string_view region, StreamViewType view,
                   const ChangeView& change, const EntryView& entry, std::string& out,
                   RecordForm form) {
  out += "{\"eventID\":\"";
  append_event_id(change.lsn, out);
  out += "\",\"eventName\":\"";
  out += event_name(change.kind);
  out += "\",\"eventVersion\":\"1.1\",\"eventSource\":\"aws:dynamodb\",\"awsRegion\":\"";
  out += region;
  out += "\",\"dynamodb\":{\"ApproximateCreationDateTime\":";
  append_integer(entry.time_ms() / 1000, out);
  out += ",\"Keys\":";
  render_keys(table, change.key, out);
  if (shows_new(view) && change.new_image) {
    out += ",\"NewImage\":";
    render_item(ItemView(*change.new_image), out);
  }
  if (shows_old(view) && change.old_image) {
    out += ",\"OldImage\":";
    render_item(ItemView(*change.old_image), out);
  }
  out += ",\"SequenceNumber\":\"";
  append_sequence_number(change.lsn, out);
  out += "\",\"SizeBytes\":";
  append_integer(static_cast<int64_t>(record_size(table, view, change)), out);
  out += ",\"StreamViewType\":\"";
  out += view_type_name(view);
  out += "\"}";
  if (auto identity = entry.field(EntryField::kIdentity)) {
    const bool api = form == RecordForm::kApi;
    out += api ? ",\"userIdentity\":{\"PrincipalId\":" : ",\"userIdentity\":{\"principalId\":";
    render_json_string(*identity, out);
    out += api ? ",\"Type\":\"Service\"}" : ",\"type\":\"Service\"}";
  }
  out += '}';
}

}  // namespace millrace::streams
