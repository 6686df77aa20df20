#include "sidecar/change_streams.h"

#include <utility>

#include "core/model/item_json.h"
#include "sidecar/config.h"

namespace millrace::sidecar {
namespace {

constexpr size_t kLinesBytes = 128u << 10;

AdminResponse refusal(int status, const std::string& message) {
  AdminResponse response;
  response.status = status;
  response.content_type = "text/plain";
  response.body = message + "\n";
  return response;
}

std::string no_such_table(const Catalog& catalog, const std::string& name) {
  std::vector<std::string> known;
  for (const TablePtr& table : catalog.tables()) known.push_back(table->name);
  std::string near = did_you_mean(name, known);
  std::string message = "there is no table '" + name + "'";
  if (!near.empty()) message += "; did you mean '" + near + "'?";
  return message;
}

}  // namespace

ChangeStreams::ChangeStreams(Engine& engine, const Catalog& catalog)
    : engine_(engine),
      catalog_(catalog),
      thread_({.name = "changes", .idle_ms = 1000, .gather_ms = 2}, [this] { return step(); }) {}

ChangeStreams::~ChangeStreams() { stop(); }

void ChangeStreams::open(const AdminRequest& request, AdminReply reply) {
  streams::TableFilter filter;
  if (auto table = request.query.find("table"); table != request.query.end()) {
    if (catalog_.find(table->second) == nullptr)
      return reply.send(refusal(404, no_such_table(catalog_, table->second)));
    filter.names.insert(table->second);
  }
  auto from = request.query.find("from");
  Result<streams::StartAt> start =
      streams::StartAt::parse(from == request.query.end() ? "latest" : from->second);
  if (!start) return reply.send(refusal(400, start.error().message));

  streams::ChangeFeed feed(engine_.log(), catalog_, std::move(filter), *start);
  reply.open();
  // Both run on the server's thread, and not once it has stopped, which is before this is
  // destroyed.
  reply.when_gone([this] { thread_.wake(); });
  {
    std::lock_guard lock(mutex_);
    opened_.push_back({std::move(feed), std::move(reply)});
  }
  open_.fetch_add(1, std::memory_order_relaxed);
  thread_.wake();
}

bool ChangeStreams::step() {
  {
    std::lock_guard lock(mutex_);
    streams_.splice(streams_.end(), opened_);
  }
  bool more = false;
  for (auto stream = streams_.begin(); stream != streams_.end();) {
    if (advance(*stream, more)) {
      ++stream;
    } else {
      stream = streams_.erase(stream);
      open_.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  return more;
}

/// Sends what there is, or as much as fits; false if the stream has ended.
bool ChangeStreams::advance(Stream& stream, bool& more) {
  if (stream.reply.gone()) return false;
  if (stream.reply.full()) {
    stream.reply.when_writable([this] { thread_.wake(); });
    return true;
  }
  lines_.clear();
  Result<bool> unfinished = stream.feed.next(kLinesBytes, lines_);
  if (!unfinished) {
    lines_ += "{\"error\":";
    render_json_string(unfinished.error().message, lines_);
    lines_ += "}\n";
    stream.reply.write(lines_);
    stream.reply.finish();
    return false;
  }
  if (!lines_.empty() && !stream.reply.write(lines_)) return false;
  more = more || *unfinished;
  return true;
}

}  // namespace millrace::sidecar
