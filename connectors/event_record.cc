#include "connectors/event_record.h"

#include "streams/record.h"

namespace millrace::connectors {

void append_event_record(const Record& record, std::string_view region, std::string_view account,
                         std::string& out) {
  const Table& table = *record.table;
  streams::render_record(table, region, StreamViewType::kNewAndOldImages, *record.change,
                         *record.entry, out, streams::RecordForm::kEvent);
  out.pop_back();  // the closing brace
  out += ",\"eventSourceARN\":\"";
  streams::append_source_arn(table, region, account, out);
  out += "\"}";
}

}  // namespace millrace::connectors
