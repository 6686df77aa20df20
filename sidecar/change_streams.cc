#include "sidecar/change_streams.h"

#include <algorithm>
#include <utility>

#include "core/model/item_json.h"
#include "sidecar/admin_answers.h"
#include "streams/start_at.h"

namespace millrace::sidecar {
namespace {

constexpr size_t kLinesBytes = 128u << 10;

}  // namespace

ChangeStreams::ChangeStreams(Engine& engine, const Catalog& catalog)
    : engine_(engine),
      catalog_(catalog),
      thread_({.name = "changes", .idle_ms = 1000, .apart_us = 200}, [this] { return step(); }) {}

ChangeStreams::~ChangeStreams() { stop(); }

void ChangeStreams::open(const AdminRequest& request, AdminReply reply) {
  streams::ChangeFilter filter;
  if (auto tables = request.query.find("table"); tables != request.query.end()) {
    for (size_t begin = 0; begin <= tables->second.size();) {
      const size_t end = std::min(tables->second.find(',', begin), tables->second.size());
      std::string name = tables->second.substr(begin, end - begin);
      if (catalog_.find(name) == nullptr)
        return reply.send(refusal(404, no_such_table(catalog_, name)));
      filter.tables.names.insert(std::move(name));
      begin = end + 1;
    }
  }
  if (auto pattern = request.query.find("filter"); pattern != request.query.end()) {
    auto events =
        streams::EventFilter::parse(pattern->second, catalog_.region(), catalog_.account());
    if (!events) return reply.send(refusal(events.error()));
    filter.events = *events;
  }
  auto from = request.query.find("from");
  Result<streams::StartAt> start =
      streams::StartAt::parse(from == request.query.end() ? "latest" : from->second);
  if (!start) return reply.send(refusal(400, start.error().message));

  Result<Lsn> first = start->resolve(engine_.log(), catalog_, filter.tables);
  if (!first) return reply.send(refusal(503, first.error().message));

  streams::ChangeFeed feed(engine_.log(), catalog_, std::move(filter), *first);
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

void ChangeStreams::stop() {
  thread_.stop();
  for (bool more = true; more && !stopped_;) more = step();
  stopped_ = true;
  for (Stream& stream : streams_) stream.reply.finish();
  streams_.clear();
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
