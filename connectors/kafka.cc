#include "connectors/kafka.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "connectors/event_record.h"
#include "connectors/kafka_record.h"

namespace millrace::connectors {
namespace {

/// Set before the configuration's properties, which win.
constexpr std::array<std::pair<const char*, const char*>, 7> kDefaults = {{
    {"client.id", "millrace"},
    // As Java's default partitioner, so that keys land where other producers of the topic put them.
    {"partitioner", "murmur2_random"},
    {"linger.ms", "5"},
    // Two images of 400 KB as JSON, base64 and escapes included. The broker's own limit is 1 MB
    // unless raised; what it refuses is reported as such.
    {"message.max.bytes", "4194304"},
    {"queue.buffering.max.kbytes", "65536"},
    {"reconnect.backoff.max.ms", "1000"},
    {"socket.nagle.disable", "true"},
}};

/// Set after the configuration's properties.
constexpr std::array<std::pair<const char*, const char*>, 4> kGuarantees = {{
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"message.timeout.ms", "0"},  // for ever
    {"log.queue", "true"},        // its log lines come as events, not to standard error
}};

constexpr int kSyslogError = 3;  // a log event's level; lower is worse

Error unavailable(std::string text) { return make_error(ErrorCode::kUnavailable, std::move(text)); }

struct ConfDeleter {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using ConfPtr = std::unique_ptr<rd_kafka_conf_t, ConfDeleter>;

Status set(rd_kafka_conf_t* conf, const char* name, const char* value) {
  char reason[512];
  if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK) return {};
  return make_error(ErrorCode::kConfig, reason);
}

Result<ConfPtr> make_conf(const KafkaOptions& options) {
  ConfPtr conf(rd_kafka_conf_new());
  for (const auto& [name, value] : kDefaults) RETURN_IF_ERROR(set(conf.get(), name, value));
  for (const auto& [name, value] : options.properties)
    RETURN_IF_ERROR(set(conf.get(), name.c_str(), value.c_str()));
  for (const auto& [name, value] : kGuarantees) RETURN_IF_ERROR(set(conf.get(), name, value));
  RETURN_IF_ERROR(set(conf.get(), "bootstrap.servers", options.brokers.c_str()));
  rd_kafka_conf_set_events(conf.get(),
                           RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
  return conf;
}

/// A delivery that librdkafka gave up.
Error undelivered(const rd_kafka_message_t& message) {
  constexpr size_t kKeyShownMax = 200;
  std::string key(static_cast<const char*>(message.key), std::min(message.key_len, kKeyShownMax));
  std::string text = std::string("topic ") + rd_kafka_topic_name(message.rkt) +
                     " refuses the record of " + key + ": " + rd_kafka_err2str(message.err);
  if (message.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    text += " (" + std::to_string(message.len) + " bytes; raise the topic's max.message.bytes)";
  return unavailable(std::move(text));
}

void set_pointer(rd_kafka_vu_t& unit, rd_kafka_vtype_t type, std::string& bytes) {
  unit.vtype = type;
  unit.u.mem.ptr = bytes.data();
  unit.u.mem.size = bytes.size();
}

}  // namespace

struct KafkaConnector::Producer {
  rd_kafka_t* client = nullptr;
  rd_kafka_queue_t* events = nullptr;
  std::map<std::string, rd_kafka_topic_t*, std::less<>> topics;
  // The topic of the last record: most records follow one of the same table.
  Generation last_generation = 0;
  rd_kafka_topic_t* last_topic = nullptr;

  Producer() = default;
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;
  ~Producer() {
    if (client == nullptr) return;
    // What is still queued or on its way is the pump's to deliver again.
    rd_kafka_purge(
        client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    for (const auto& [name, topic] : topics) rd_kafka_topic_destroy(topic);
    if (events != nullptr) rd_kafka_queue_destroy(events);
    rd_kafka_destroy(client);
  }

  rd_kafka_topic_t* topic_of(const Table& table, const std::string& configured) {
    if (last_topic != nullptr && table.generation == last_generation) return last_topic;
    std::string name = configured.empty() ? kafka_topic_of(table.name) : configured;
    auto found = topics.find(name);
    if (found == topics.end()) {
      rd_kafka_topic_t* topic = rd_kafka_topic_new(client, name.c_str(), nullptr);
      if (topic == nullptr) return nullptr;
      found = topics.emplace(std::move(name), topic).first;
    }
    last_generation = table.generation;
    last_topic = found->second;
    return last_topic;
  }

  /// Adds what an event says; true if it is a failure.
  bool take(rd_kafka_event_t* event, Progress& progress) {
    switch (rd_kafka_event_type(event)) {
      case RD_KAFKA_EVENT_DR:
        return take_reports(event, progress);
      case RD_KAFKA_EVENT_ERROR:
        return take_error(event, progress);
      case RD_KAFKA_EVENT_LOG: {
        const char* facility;
        const char* text;
        int level;
        if (rd_kafka_event_log(event, &facility, &text, &level) == 0 && level <= kSyslogError)
          progress.trouble = text;
        return false;
      }
      default:
        return false;
    }
  }

 private:
  bool take_reports(rd_kafka_event_t* event, Progress& progress) {
    bool failed = false;
    while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) {
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        progress.acknowledged.push_back(reinterpret_cast<uintptr_t>(message->_private));
        continue;
      }
      // The first says most: later ones often only follow from it.
      if (!failed && progress.failure) progress.failure = undelivered(*message);
      failed = true;
    }
    return failed;
  }

  bool take_error(rd_kafka_event_t* event, Progress& progress) {
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__FATAL) {
      progress.trouble = rd_kafka_event_error_string(event);
      return false;
    }
    char reason[512];
    rd_kafka_resp_err_t cause = rd_kafka_fatal_error(client, reason, sizeof reason);
    progress.failure = unavailable(std::string("the producer gave up: ") + rd_kafka_err2str(cause) +
                                   ": " + reason);
    return true;
  }
};

KafkaConnector::KafkaConnector(KafkaOptions options) : options_(std::move(options)) {}
KafkaConnector::~KafkaConnector() = default;

Result<std::unique_ptr<KafkaConnector>> KafkaConnector::open(KafkaOptions options) {
  std::unique_ptr<KafkaConnector> connector(new KafkaConnector(std::move(options)));
  ASSIGN_OR_RETURN(connector->producer_, connector->make_producer());
  return connector;
}

Result<std::unique_ptr<KafkaConnector::Producer>> KafkaConnector::make_producer() const {
  ASSIGN_OR_RETURN(ConfPtr conf, make_conf(options_));
  auto producer = std::make_unique<Producer>();
  char reason[512];
  producer->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason, sizeof reason);
  if (producer->client == nullptr) return make_error(ErrorCode::kConfig, reason);
  static_cast<void>(conf.release());  // the client's since rd_kafka_new succeeded
  producer->events = rd_kafka_queue_get_main(producer->client);
  rd_kafka_set_log_queue(producer->client, producer->events);
  return producer;
}

Result<size_t> KafkaConnector::deliver(std::span<const Record> records) {
  if (failed_) return size_t{0};
  if (producer_ == nullptr) {
    ASSIGN_OR_RETURN(producer_, make_producer());
  }
  size_t count = 0;
  for (const Record& record : records) {
    bool taken = false;
    Status status = produce(record, taken);
    if (!status) {
      failed_ = true;
      return status.error();
    }
    if (!taken) break;
    ++count;
  }
  return count;
}

Status KafkaConnector::produce(const Record& record, bool& taken) {
  rd_kafka_topic_t* topic = producer_->topic_of(*record.table, options_.topic);
  if (topic == nullptr)
    return unavailable(std::string("no topic: ") + rd_kafka_err2str(rd_kafka_last_error()));
  key_.clear();
  value_.clear();
  append_kafka_key(record, key_);
  append_event_record(record, options_.region, options_.account, value_);
  char lsn[20];
  char* lsn_end = std::to_chars(lsn, lsn + sizeof lsn, record.change->lsn).ptr;

  std::array<rd_kafka_vu_t, 7> units;
  units[0].vtype = RD_KAFKA_VTYPE_RKT;
  units[0].u.rkt = topic;
  units[1].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  units[1].u.i = RD_KAFKA_MSG_F_COPY;
  set_pointer(units[2], RD_KAFKA_VTYPE_KEY, key_);
  set_pointer(units[3], RD_KAFKA_VTYPE_VALUE, value_);
  units[4].vtype = RD_KAFKA_VTYPE_OPAQUE;
  units[4].u.ptr = reinterpret_cast<void*>(static_cast<uintptr_t>(record.ticket));
  units[5].vtype = RD_KAFKA_VTYPE_HEADER;
  units[5].u.header.name = "lsn";
  units[5].u.header.val = lsn;
  units[5].u.header.size = lsn_end - lsn;
  units[6].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  units[6].u.i64 = record.entry->time_ms();

  rd_kafka_error_t* error = rd_kafka_produceva(producer_->client, units.data(), units.size());
  if (error == nullptr) {
    taken = true;
    return {};
  }
  rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  std::string text = rd_kafka_error_string(error);
  rd_kafka_error_destroy(error);
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return {};
  if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    text += "; raise the connector's property message.max.bytes and the topic's max.message.bytes";
  }
  return unavailable("the record of " + key_ + " (" + std::to_string(value_.size()) +
                     " bytes) cannot be sent: " + text);
}

void KafkaConnector::poll(int wait_ms, Progress& progress) {
  if (producer_ == nullptr) return;
  // Bounded, so that a stream of reports does not keep the pump from reading on.
  constexpr int kEventsMax = 256;
  for (int i = 0; i < kEventsMax; ++i) {
    rd_kafka_event_t* event = rd_kafka_queue_poll(producer_->events, i == 0 ? wait_ms : 0);
    if (event == nullptr) return;
    if (producer_->take(event, progress)) failed_ = true;
    rd_kafka_event_destroy(event);
  }
}

void KafkaConnector::flush() {
  if (producer_ != nullptr) rd_kafka_flush(producer_->client, 0);
}

void KafkaConnector::reset() {
  producer_.reset();
  failed_ = false;
}

}  // namespace millrace::connectors
