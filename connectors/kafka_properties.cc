#include <librdkafka/rdkafka.h>

#include <array>
#include <utility>

#include "connectors/kafka.h"

namespace millrace::connectors {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kOwned = {{
    {"bootstrap.servers", "write it as the connector's brokers"},
    {"metadata.broker.list", "write it as the connector's brokers"},
    {"enable.idempotence", "it is always true, so that nothing is doubled or reordered"},
    {"acks", "it is always all, so that nothing acknowledged is lost"},
    {"request.required.acks", "it is always all, so that nothing acknowledged is lost"},
    {"retries", "deliveries are tried again for ever"},
    {"message.send.max.retries", "deliveries are tried again for ever"},
    {"message.timeout.ms", "deliveries are tried again for ever"},
    {"delivery.timeout.ms", "deliveries are tried again for ever"},
    {"transactional.id", "the connector delivers at least once"},
    {"delivery.report.only.error", "the checkpoint needs every report"},
    {"enable.gapless.guarantee", "the connector fills gaps itself"},
}};

}  // namespace

Status check_kafka_property(const std::string& name, const std::string& value) {
  for (const auto& [owned, why] : kOwned) {
    if (name == owned)
      return make_error(ErrorCode::kConfig,
                        "the connector sets this itself; remove it (" + std::string(why) + ")");
  }
  std::unique_ptr<rd_kafka_conf_t, void (*)(rd_kafka_conf_t*)> conf(rd_kafka_conf_new(),
                                                                    rd_kafka_conf_destroy);
  char reason[512];
  rd_kafka_conf_res_t result =
      rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), reason, sizeof reason);
  if (result == RD_KAFKA_CONF_OK) return {};
  std::string text = reason;
  if (result == RD_KAFKA_CONF_UNKNOWN) {
    text = "librdkafka has no such property; see its CONFIGURATION.md for those it has";
  }
  return make_error(ErrorCode::kConfig, text);
}

}  // namespace millrace::connectors
