#include "sidecar/config.h"

#include <random>
#include <utility>

namespace millrace::sidecar {
namespace {

std::string message_of(std::string_view yaml) {
  Result<Config> config = parse_config(yaml, "m.yaml");
  if (config) return "(no error)";
  EXPECT_EQ(config.error().code, ErrorCode::kConfig);
  return config.error().message;
}

TEST(Config, AnEmptyFileMeansAllDefaults) {
  Result<Config> config = parse_config("", "m.yaml");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen.text(), "127.0.0.1:8000");
  EXPECT_EQ(config->admin.text(), "127.0.0.1:8001");
  EXPECT_EQ(config->data, "./millrace-data");
  EXPECT_EQ(config->region, "");
  EXPECT_EQ(config->account, "");
  EXPECT_EQ(config->threads, 0u);
  EXPECT_EQ(config->durability, Durability::kFlush);
  EXPECT_EQ(config->cache.bytes, 64u << 20);
  EXPECT_EQ(config->cache.query_bytes, 64u << 20);
  EXPECT_TRUE(config->cache.warm_restart);
  EXPECT_TRUE(config->connectors.empty());
}

TEST(Config, PoliciesOfTheCacheInheritWhatTheyDoNotSay) {
  Result<Config> config = parse_config(
      "cache:\n"
      "  tables:\n"
      "    films: {item_ttl: 1h, admission: on_read, stale_if_error: 30s}\n"
      "    audit: {enabled: false}\n"
      "  query_bytes: 1MB\n"
      "  warm_restart: false\n"
      "  consumed_capacity: dax\n"
      "  verify: 0.25\n"
      "  item_ttl: 0s\n"
      "  query_ttl: 1m\n"
      "  negative_ttl: 30s\n",
      "m.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->cache.bytes, 64u << 20);
  EXPECT_EQ(config->cache.query_bytes, 1u << 20);
  EXPECT_FALSE(config->cache.warm_restart);
  EXPECT_FALSE(config->cache.capacity_of_hits);
  EXPECT_EQ(config->cache.verify, 0.25);
  EXPECT_EQ(config->cache.policy.item_ttl_s, 0u);
  EXPECT_EQ(config->cache.policy.negative_ttl_s, 30u);
  ASSERT_EQ(config->cache.tables.size(), 2u);
  const cache::TablePolicy& films = config->cache.tables.at("films");
  EXPECT_TRUE(films.enabled);
  EXPECT_EQ(films.item_ttl_s, 3600u);
  EXPECT_EQ(films.negative_ttl_s, 30u);
  EXPECT_EQ(films.query_ttl_s, 60u);
  EXPECT_EQ(films.stale_if_error_s, 30u);
  EXPECT_EQ(config->cache.policy.stale_if_error_s, 0u);
  EXPECT_EQ(films.admission, cache::Admission::kOnRead);
  EXPECT_FALSE(config->cache.tables.at("audit").enabled);
  EXPECT_EQ(config->cache.tables.at("audit").admission, cache::Admission::kAll);
}

TEST(Config, PoliciesOfTheCacheAreReadStrictly) {
  EXPECT_EQ(message_of("cache: {tables: [films]}\n"),
            "m.yaml:1:17: 'cache.tables' holds a list; it must be a mapping of tables to policies");
  EXPECT_EQ(
      message_of("cache: {tables: {films: {item_tll: 1h}}}\n"),
      "m.yaml:1:26: unknown key 'item_tll' in 'cache.tables.films'; did you mean 'item_ttl'?");
  EXPECT_EQ(message_of("cache: {tables: {abc: {enabled: false}, abc: {enabled: true}}}\n"),
            "m.yaml:1:41: 'cache.tables.abc' is there twice; keep one of the two");
  EXPECT_EQ(message_of("cache: {tables: {'fil*': {enabled: false}}}\n"),
            "m.yaml:1:18: 'cache.tables.fil*': no table can be called so; write a table's whole "
            "name, 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.'");
  EXPECT_EQ(message_of("cache: {negative_ttl: long}\n"),
            "m.yaml:1:23: 'cache.negative_ttl': 'long' is not a duration; write for example 30s, "
            "15m, 4h or 7d");
  EXPECT_EQ(message_of("cache: {stale_if_error: 30}\n"),
            "m.yaml:1:25: 'cache.stale_if_error': '30' is not a duration; write for example 30s, "
            "15m, 4h or 7d");
  EXPECT_EQ(message_of("cache: {consumed_capacity: none}\n"),
            "m.yaml:1:28: 'cache.consumed_capacity': 'none' is no way to report capacity; write "
            "dynamodb (hits show what they would have consumed) or dax (hits leave it out)");
  for (const char* fraction : {"-0.1", "1.5", "nan", "1e-30", "1%", "often"}) {
    EXPECT_EQ(message_of("cache: {verify: " + std::string(fraction) + "}\n"),
              "m.yaml:1:17: 'cache.verify': '" + std::string(fraction) +
                  "' is not a fraction; write a number from 0 to 1, such as 0.001");
  }
  EXPECT_EQ(message_of("cache: {admission: none}\n"),
            "m.yaml:1:20: 'cache.admission': 'none' is not an admission; write all (what is "
            "written is cached) or on_read (only what was read is)");
}

TEST(Config, ReadsEverything) {
  Result<Config> config = parse_config(
      "listen: 127.0.0.1:9000\n"
      "admin: '[::1]:9001'\n"
      "data: /var/lib/millrace\n"
      "region: eu-west-3\n"
      "account: 012345678901\n"
      "threads: 2\n"
      "durability: none\n"
      "log_format: json\n"
      "insecure_no_auth: true\n"
      "cache: {bytes: 512KB, query_bytes: 1MB}\n"
      "memory: {bytes: 32MB}\n"
      "disk: {bytes: 2GB}\n"
      "in_memory: true\n"
      "connectors:\n"
      "  - name: films-to-kafka\n"
      "    kind: kafka\n"
      "    tables: [films, people]\n"
      "    brokers: 127.0.0.1:9092,127.0.0.1:9093\n"
      "    topic: changes\n"
      "    from: latest\n"
      "    properties: {linger.ms: 20, compression.type: zstd}\n"
      "  - {name: all, kind: kafka, brokers: localhost}\n"
      "  - name: films-to-http\n"
      "    kind: http\n"
      "    url: http://127.0.0.1:8080/changes?from=millrace\n"
      "    headers: {authorization: Bearer secret}\n"
      "    batch_records: 500\n"
      "    batch_bytes: 2MB\n"
      "    timeout_ms: 1500\n"
      "  - {name: p, kind: zeromq, mode: pub, endpoint: 'tcp://localhost:5556', high_water_mark: "
      "50}\n"
      "  - name: q\n"
      "    kind: zeromq\n"
      "    mode: push\n"
      "    endpoint: tcp://[::1]:5557\n"
      "    acknowledgements: ipc:///run/acks\n"
      "    in_flight: 7\n"
      "    timeout_ms: 900\n",
      "m.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->listen.port, 9000);
  EXPECT_EQ(config->admin.host, "::1");
  EXPECT_EQ(config->admin.text(), "[::1]:9001");
  EXPECT_EQ(config->data, "/var/lib/millrace");
  EXPECT_EQ(config->region, "eu-west-3");
  EXPECT_EQ(config->account, "012345678901");
  EXPECT_EQ(config->threads, 2u);
  EXPECT_EQ(config->durability, Durability::kNone);
  EXPECT_EQ(config->log_format, LogFormat::kJson);
  EXPECT_TRUE(config->insecure_no_auth);
  EXPECT_EQ(config->cache.bytes, 512u << 10);
  EXPECT_EQ(config->cache.query_bytes, 1u << 20);
  EXPECT_EQ(config->memory_bytes, 32u << 20);
  EXPECT_EQ(config->disk_bytes, 2u << 30);
  EXPECT_TRUE(config->in_memory);
  EXPECT_FALSE(config->allow_reset);
  ASSERT_EQ(config->connectors.size(), 5u);
  const ConnectorConfig& films = config->connectors[0];
  EXPECT_EQ(films.name, "films-to-kafka");
  EXPECT_EQ(films.tables, (std::vector<std::string>{"films", "people"}));
  const auto& kafka = std::get<connectors::KafkaOptions>(films.target);
  EXPECT_EQ(kafka.brokers, "127.0.0.1:9092,127.0.0.1:9093");
  EXPECT_EQ(kafka.topic, "changes");
  EXPECT_EQ(films.from.kind, streams::StartAt::Kind::kLatest);
  EXPECT_EQ(kafka.properties.at("linger.ms"), "20");
  EXPECT_TRUE(config->connectors[1].tables.empty());
  EXPECT_EQ(config->connectors[1].from.kind, streams::StartAt::Kind::kTrimHorizon);
  const auto& http = std::get<connectors::HttpOptions>(config->connectors[2].target);
  EXPECT_EQ(http.url.text(), "http://127.0.0.1:8080/changes?from=millrace");
  EXPECT_EQ(http.headers.at("authorization"), "Bearer secret");
  EXPECT_EQ(http.batch.records, 500u);
  EXPECT_EQ(http.batch.bytes, 2u << 20);
  EXPECT_EQ(http.timeout_ms, 1500);
  const auto& pub = std::get<connectors::ZeroMqOptions>(config->connectors[3].target);
  EXPECT_EQ(pub.mode, connectors::ZeroMqOptions::Mode::kPub);
  EXPECT_EQ(pub.endpoint, "tcp://127.0.0.1:5556");
  EXPECT_EQ(pub.high_water_mark, 50);
  const auto& push = std::get<connectors::ZeroMqOptions>(config->connectors[4].target);
  EXPECT_EQ(push.mode, connectors::ZeroMqOptions::Mode::kPush);
  EXPECT_EQ(push.endpoint, "tcp://[::1]:5557");
  EXPECT_EQ(push.acknowledgements, "ipc:///run/acks");
  EXPECT_EQ(push.in_flight, 7u);
  EXPECT_EQ(push.timeout_ms, 900);
}

TEST(Config, TheAdministrativePortMayAllowMore) {
  Result<Config> config =
      parse_config("admin: {listen: 127.0.0.1:9001, allow_reset: true}\n", "m.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->admin.text(), "127.0.0.1:9001");
  EXPECT_TRUE(config->allow_reset);
  EXPECT_FALSE(config->allow_stream_control);
  config = parse_config("admin: {allow_stream_control: true}\n", "m.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->allow_stream_control);
  EXPECT_EQ(config->admin.port, 8001);
}

TEST(Config, Streams) {
  constexpr int64_t kHourMs = StreamsConfig::kHourMs;
  Result<Config> config = parse_config(
      "streams: {shards: 8, shard_age: 30m, split_writes_per_second: 250, retention: 7d,"
      " shown: 36h}\n",
      "m.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->streams.shards, 8u);
  EXPECT_EQ(config->streams.shard_age_ms, kHourMs / 2);
  EXPECT_EQ(config->streams.split_writes_per_second, 250u);
  EXPECT_EQ(config->streams.retention_ms, 7 * 24 * kHourMs);
  EXPECT_EQ(config->streams.shown_ms, 36 * kHourMs);
  config = parse_config("streams: {retention: 6h}\n", "m.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->streams.shown_ms, 6 * kHourMs) << "no longer than the log is kept";
  EXPECT_EQ(config->streams.shard_age_ms, 4 * kHourMs);
  config = parse_config("streams: {retention: 7d}\n", "m.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->streams.shown_ms, 24 * kHourMs);
}

TEST(Config, JsonIsYaml) {
  Result<Config> config =
      parse_config(R"({"listen": "127.0.0.1:1", "cache": {"bytes": "64MB"}})", "m");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->listen.port, 1);
}

struct Mistake {
  const char* yaml;
  const char* message;
};

// The whole message of each kind of mistake: place, what is wrong, how to mend it.
const Mistake kMistakes[] = {
    {"listen: [a", "m.yaml:1:1: this is not YAML: end of sequence flow not found"},
    {"- a\n", "m.yaml:1:1: the file holds a list; it must be a mapping of keys to values"},
    {"data: x\nlisen: 127.0.0.1:1\n", "m.yaml:2:1: unknown key 'lisen'; did you mean 'listen'?"},
    {"frobnicate: 1\n",
     "m.yaml:1:1: unknown key 'frobnicate'; known are listen, admin, data, in_memory, region, "
     "account, threads, durability, insecure_no_auth, log_format, memory, disk, cache, streams, "
     "connectors"},
    {"memory.bytes: 1GB\n",
     "m.yaml:1:1: unknown key 'memory.bytes'; write it nested, as memory: {bytes: ...}"},
    {"data: a\nadmin.allow_reset: true\n",
     "m.yaml:2:1: unknown key 'admin.allow_reset'; write it nested, as admin: {allow_reset: ...}"},
    {"cache: {tables.films: {enabled: false}}\n",
     "m.yaml:1:9: unknown key 'tables.films' in 'cache'; write it nested, as tables: {films: ...}"},
    {"data.s: a\n", "m.yaml:1:1: unknown key 'data.s'; did you mean 'data'?"},
    {"memory: 256MB\n",
     "m.yaml:1:9: 'memory' holds a single value; it must be a mapping of keys to values, such as "
     "{bytes: 256MB}"},
    {"memory: much\n",
     "m.yaml:1:9: 'memory' holds a single value; it must be a mapping of keys to values"},
    {"data: a\n---\ndata: b\n",
     "m.yaml:2:1: the first YAML document ends here, and what follows would not be read; put all "
     "into one"},
    {"{data: a}\n{listen: b}\n",
     "m.yaml:2:1: the first YAML document ends here, and what follows would not be read; put all "
     "into one"},
    {"region: EU\n",
     "m.yaml:1:9: 'region': 'EU' is not a region: up to 32 lower-case letters, digits and hyphens; "
     "write for example eu-west-1"},
    {"account: 1234\n",
     "m.yaml:1:10: 'account': '1234' is not an account: 12 digits; write for example "
     "123456789012"},
    {"memory: {bytes: 1MB}\n",
     "m.yaml:1:17: 'memory.bytes': '1MB' is too little memory; write 16MB or more"},
    {"disk: {bytes: 1MB}\n",
     "m.yaml:1:15: 'disk.bytes': '1MB' is too little disk; write 32MB or more, or 0 for what there "
     "is"},
    {"streams: {retention: 2h, shown: 3h}\n",
     "m.yaml:1:33: 'streams.shown' is longer than 'streams.retention', so the log would not have "
     "what is to be shown; raise retention or lower shown"},
    {"streams: {retention: 8d}\n",
     "m.yaml:1:22: 'streams.retention': '8d' is out of range; write 1m to 7d"},
    {"streams: {shard_age: soon}\n",
     "m.yaml:1:22: 'streams.shard_age': 'soon' is not a duration; write for example 30s, 15m, 4h "
     "or "
     "7d"},
    {"data: a\ndata: b\n", "m.yaml:2:1: 'data' is there twice; keep one of the two"},
    {"data:\n", "m.yaml:1:1: 'data' has no value; give it one or remove it"},
    {"data: [a]\n", "m.yaml:1:7: 'data' holds a list; it must be a folder"},
    {"listen: here\n",
     "m.yaml:1:9: 'listen': 'here' is not an address of the form HOST:PORT; write for example "
     "127.0.0.1:8000"},
    {"listen: example.org:80\n",
     "m.yaml:1:9: 'listen': 'example.org:80' does not begin with an IP address or localhost; write "
     "for "
     "example 127.0.0.1:8000 or [::1]:8000"},
    {"listen: 127.0.0.1:65536\n",
     "m.yaml:1:9: 'listen': '127.0.0.1:65536' is not an address of the form HOST:PORT; write for "
     "example "
     "127.0.0.1:8000"},
    {"threads: many\n", "m.yaml:1:10: 'threads': 'many' is not a number of threads; write 1 to 64"},
    {"threads: 0\n", "m.yaml:1:10: 'threads': '0' is not a number of threads; write 1 to 64"},
    {"threads: {n: 1}\n", "m.yaml:1:10: 'threads' holds a mapping; it must be a number, 1 to 64"},
    {"durability: fsync\n",
     "m.yaml:1:13: 'durability': 'fsync' is not a durability; write flush (nothing is answered "
     "before it "
     "is on disk) or none (a crash may lose what was answered)"},
    {"insecure_no_auth: yes\n",
     "m.yaml:1:19: 'insecure_no_auth': 'yes' is neither true nor false; write one of them"},
    {"log_format: xml\n",
     "m.yaml:1:13: 'log_format': 'xml' is not a log format; write text or json"},
    {"cache: 64MB\n",
     "m.yaml:1:8: 'cache' holds a single value; it must be a mapping of keys to values, such as "
     "{bytes: 64MB}"},
    {"cache:\n  bytes: 64 megabytes\n",
     "m.yaml:2:10: 'cache.bytes': '64 megabytes' is not a size; write for example 64MB, 512KB, "
     "1GB, or a "
     "number of bytes"},
    {"cache:\n  bytes: 99999999GB\n",
     "m.yaml:2:10: 'cache.bytes': '99999999GB' is larger than 65536GB"},
    {"cache:\n  byte: 1\n", "m.yaml:2:3: unknown key 'byte' in 'cache'; did you mean 'bytes'?"},
    {"connectors: {}\n",
     "m.yaml:1:13: 'connectors' holds a mapping; it must be a list of connectors"},
    {"connectors: [a]\n",
     "m.yaml:1:14: 'connectors[0]' holds a single value; it must be a mapping of keys to values"},
    {"connectors:\n  - kind: kafka\n    brokers: b\n",
     "m.yaml:2:5: 'connectors[0]' has no 'name'; add it"},
    {"connectors:\n  - name: a\n    kind: kafka\n",
     "m.yaml:2:5: 'connectors[0]' has no 'brokers'; add it"},
    {"connectors:\n  - {kind: kafka, name: a b}\n",
     "m.yaml:2:25: 'connectors[0].name': 'a b' is no name of a connector; use up to 100 letters, "
     "digits, "
     "dots, dashes and underscores"},
    {"connectors:\n  - {name: a, kind: kafka, brokers: b}\n  - {name: a, kind: kafka, brokers: "
     "b}\n",
     "m.yaml:3:5: 'connectors[1]' has the name of an earlier connector, 'a'; give each its own, "
     "since it "
     "names the checkpoint"},
    {"connectors:\n  - kind: kafak\n",
     "m.yaml:2:11: 'connectors[0].kind': there is no connector of kind 'kafak'; did you mean "
     "'kafka'?"},
    {"connectors:\n  - kind: pulsar\n",
     "m.yaml:2:11: 'connectors[0].kind': there is no connector of kind 'pulsar'; known are kafka, "
     "http, zeromq"},
    {"connectors:\n  - brokers: b\n", "m.yaml:2:5: 'connectors[0]' has no 'kind'; add it"},
    {"connectors:\n  - {name: a, kind: zeromq}\n",
     "m.yaml:2:5: 'connectors[0]' has no 'mode'; add it"},
    {"connectors:\n  - {name: a, kind: zeromq, mode: pul}\n",
     "m.yaml:2:35: 'connectors[0].mode': there is no connector of mode 'pul'; did you mean 'pub'?"},
    {"connectors:\n  - {name: a, kind: zeromq, mode: push, endpoint: 'ipc://x'}\n",
     "m.yaml:2:5: 'connectors[0]' has no 'acknowledgements'; add it"},
    {"connectors:\n  - {name: a, kind: zeromq, mode: pub, in_flight: 5}\n",
     "m.yaml:2:40: unknown key 'in_flight' in 'connectors[0]'; known are name, kind, tables, from, "
     "mode, endpoint, high_water_mark"},
    {"connectors:\n  - {kind: zeromq, mode: pub, endpoint: 127.0.0.1:5557}\n",
     "m.yaml:2:41: 'connectors[0].endpoint': '127.0.0.1:5557' is no endpoint; write for example "
     "tcp://127.0.0.1:5557, or ipc:///run/millrace/films with a path of at most 107 bytes"},
    {"connectors:\n  - {kind: zeromq, mode: pub, endpoint: 'tcp://*:5557'}\n",
     "m.yaml:2:41: 'connectors[0].endpoint': '*:5557' does not begin with an IP address or "
     "localhost; write for example 127.0.0.1:8000 or [::1]:8000"},
    {"connectors:\n  - {kind: zeromq, mode: pub, endpoint: 'tcp://127.0.0.1:0'}\n",
     "m.yaml:2:41: 'connectors[0].endpoint': 'tcp://127.0.0.1:0' has port 0; write the one to "
     "listen on"},
    {"connectors:\n  - {name: a, kind: http}\n",
     "m.yaml:2:5: 'connectors[0]' has no 'url'; add it"},
    {"connectors:\n  - {name: a, kind: http, brokers: b}\n",
     "m.yaml:2:27: unknown key 'brokers' in 'connectors[0]'; known are name, kind, tables, from, "
     "url, headers, batch_records, batch_bytes, timeout_ms"},
    {"connectors:\n  - {kind: http, batch_record: 5}\n",
     "m.yaml:2:18: unknown key 'batch_record' in 'connectors[0]'; did you mean 'batch_records'?"},
    {"connectors:\n  - {kind: http, batch_records: 0}\n",
     "m.yaml:2:33: 'connectors[0].batch_records': '0' is not a whole number from 1 to 10000"},
    {"connectors:\n  - {kind: http, batch_bytes: 1GB}\n",
     "m.yaml:2:31: 'connectors[0].batch_bytes': '1GB' is no size of a batch; write 1KB to 16MB"},
    {"connectors:\n  - {kind: http, timeout_ms: soon}\n",
     "m.yaml:2:30: 'connectors[0].timeout_ms': 'soon' is not a whole number from 100 to 900000"},
    {"connectors:\n  - {kind: http, url: 'https://example.org/'}\n",
     "m.yaml:2:23: 'connectors[0].url': 'https://example.org/' asks for TLS, which the connector "
     "does not speak; write an http:// URL, such as that of a proxy on this machine which speaks "
     "TLS to the receiver"},
    {"connectors:\n  - {kind: http, headers: {Host: secret}}\n",
     "m.yaml:2:28: 'connectors[0].headers.Host': the connector sets this header itself; remove "
     "it"},
    {"connectors:\n  - {kind: http, headers: {a: \"sec\\nret\"}}\n",
     "m.yaml:2:28: 'connectors[0].headers.a': its value is no value of a header; use up to 4,000 "
     "printable ASCII characters"},
    {"connectors:\n  - kind: kafka\n    tables: films\n",
     "m.yaml:3:13: 'connectors[0].tables' holds a single value; it must be a list of tables' "
     "names, such "
     "as [films]; leave it out for all tables"},
    {"connectors:\n  - kind: kafka\n    tables: []\n",
     "m.yaml:3:13: 'connectors[0].tables' holds a list; it must be a list of tables' names, such "
     "as "
     "[films]; leave it out for all tables"},
    {"connectors:\n  - kind: kafka\n    from: yesterday\n",
     "m.yaml:3:11: 'connectors[0].from': 'yesterday' is no place to begin; write trim_horizon (all "
     "that the log still holds), latest (what comes from now on), a time such as "
     "2026-11-25T10:00:00Z, or an LSN"},
    {"connectors:\n  - kind: kafka\n    properties: {linger: 5}\n",
     "m.yaml:3:18: 'connectors[0].properties.linger': librdkafka has no such property; see its "
     "CONFIGURATION.md for those it has"},
    {"connectors:\n  - kind: kafka\n    properties: {acks: 1}\n",
     "m.yaml:3:18: 'connectors[0].properties.acks': the connector sets this itself; remove it (it "
     "is "
     "always all, so that nothing acknowledged is lost)"},
    {"connectors:\n  - kind: kafka\n    properties: {linger.ms: soon}\n",
     "m.yaml:3:18: 'connectors[0].properties.linger.ms': Invalid value for configuration "
     "property \"queue.buffering.max.ms\""},
};

TEST(Config, SaysWhereTheMistakeIsAndHowToMendIt) {
  for (const Mistake& mistake : kMistakes) {
    SCOPED_TRACE(mistake.yaml);
    EXPECT_EQ(message_of(mistake.yaml), mistake.message);
  }
}

TEST(Config, OneDocumentMayBeMarkedAsSuch) {
  EXPECT_EQ(message_of("%YAML 1.2\n---\ndata: a\n...\n# the end\n"), "(no error)");
}

TEST(Config, AFileThatCannotBeReadIsSaidSo) {
  Result<Config> config = read_config("/nonexistent/millrace.yaml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message,
            "cannot read the configuration /nonexistent/millrace.yaml: No such file or directory");
  config = read_config("/tmp");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, "cannot read the configuration /tmp: Is a directory");
}

TEST(Config, RandomBytesNeverCrashIt) {
  constexpr uint64_t kSeed = 20261122;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  const std::string alphabet = "abcdlisten:connectors [],{}-\n\t\"'#&*!|>%@`0123456789cache.bytes";
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    size_t size = random() % 80;
    for (size_t i = 0; i < size; ++i) text += alphabet[random() % alphabet.size()];
    Result<Config> config = parse_config(text, "m.yaml");
    if (!config) {
      EXPECT_TRUE(config.error().message.starts_with("m.yaml:")) << text;
    }
  }
}

TEST(ConfigValues, Sizes) {
  EXPECT_EQ(*parse_size("0"), 0u);
  EXPECT_EQ(*parse_size("17B"), 17u);
  EXPECT_EQ(*parse_size("2KB"), 2048u);
  EXPECT_EQ(*parse_size("3MB"), 3u << 20);
  EXPECT_EQ(*parse_size("1GB"), 1u << 30);
  for (const char* text : {"", "MB", "-1", "1.5MB", "1 MB", "1mb", "1TB", "18446744073709551616"})
    EXPECT_FALSE(parse_size(text)) << text;
}

TEST(ConfigValues, RegionsAndAccounts) {
  EXPECT_EQ(*parse_region("us-gov-west-1"), "us-gov-west-1");
  EXPECT_TRUE(parse_region(std::string(32, 'a')));
  for (const std::string& text : {std::string(), std::string(33, 'a'), std::string("eu west"),
                                  std::string("EU-west-1"), std::string("a\nb")})
    EXPECT_FALSE(parse_region(text)) << text;
  EXPECT_EQ(*parse_account("000000000001"), "000000000001");
  for (const char* text : {"", "00000000000", "0000000000000", "00000000000a", "-00000000001"})
    EXPECT_FALSE(parse_account(text)) << text;
}

TEST(ConfigValues, LoopbackAddresses) {
  for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"})
    EXPECT_TRUE(parse_address(text)->is_loopback()) << text;
  for (const char* text : {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[fe80::1]:1"})
    EXPECT_FALSE(parse_address(text)->is_loopback()) << text;
}

TEST(ConfigValues, AnOpenAddressNeedsTheFlag) {
  Config config;
  EXPECT_TRUE(check_config(config));
  config.admin = *parse_address("0.0.0.0:8001");
  Status status = check_config(config);
  ASSERT_FALSE(status);
  EXPECT_EQ(
      status.error().message,
      "refusing to listen on 0.0.0.0:8001: requests are not authenticated, so whoever reaches this "
      "address can read and change all data; listen on 127.0.0.1, or accept that with "
      "--insecure-no-auth");
  config.insecure_no_auth = true;
  EXPECT_TRUE(check_config(config));
}

TEST(ConfigValues, WhatCannotWorkIsRefusedBeforeTheStart) {
  Config config;
  config.admin = config.listen;
  Status status = check_config(config);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "listen and admin are both 127.0.0.1:8000; give one of them another port");
  // Two ports that the system picks.
  config.listen.port = config.admin.port = 0;
  EXPECT_TRUE(check_config(config));
  config.cache.query_bytes = 1;
  status = check_config(config);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "cache.query_bytes is 1, too little to hold anything; write 16KB or more, or 0 for no "
            "cache");
  config.cache.query_bytes = 0;
  EXPECT_TRUE(check_config(config));
}

TEST(ConfigValues, LimitsAreTogetherNotBeyondTheMachinesMemory) {
  constexpr uint64_t kMachineBytes = uint64_t{8} << 30;
  Config config;
  EXPECT_TRUE(check_memory_limits(config, kMachineBytes));
  config.cache.bytes = kMachineBytes - config.cache.query_bytes - config.memory_bytes;
  config.disk_bytes = size_t{100} << 40;
  EXPECT_TRUE(check_memory_limits(config, kMachineBytes));
  config.in_memory = true;
  EXPECT_FALSE(check_memory_limits(config, kMachineBytes)) << "the disk is memory, too";
  config.disk_bytes = 0;
  EXPECT_TRUE(check_memory_limits(config, kMachineBytes));
  for (size_t* bytes : {&config.cache.bytes, &config.cache.query_bytes, &config.memory_bytes}) {
    ++*bytes;
    EXPECT_FALSE(check_memory_limits(config, kMachineBytes));
    --*bytes;
  }
  config = Config();
  config.cache.bytes = size_t{6} << 30;
  config.memory_bytes = size_t{3} << 30;
  config.cache.query_bytes = 0;
  const Status status = check_memory_limits(config, kMachineBytes);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kConfig);
  EXPECT_EQ(status.error().message,
            "the limits of memory are 9216MB in sum (memory.bytes 3072MB + cache.bytes 6144MB), "
            "but this machine has 8192MB; lower them to less than that in sum");
}

TEST(ConfigValues, AnOpenZeroMqEndpointNeedsTheFlagToo) {
  Result<Config> config = parse_config(
      "connectors:\n"
      "  - {name: a, kind: zeromq, mode: pub, endpoint: 'ipc:///tmp/a'}\n"
      "  - {name: b, kind: zeromq, mode: push, endpoint: 'tcp://127.0.0.1:1', acknowledgements: "
      "'tcp://0.0.0.0:2'}\n",
      "m.yaml");
  ASSERT_TRUE(config) << config.error().message;
  Status status = check_config(*config);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "refusing to listen on tcp://0.0.0.0:2 (connector 'b'): peers are not authenticated, "
            "so whoever reaches this address can read or acknowledge changes; listen on 127.0.0.1, "
            "or accept that with --insecure-no-auth");
  config->insecure_no_auth = true;
  EXPECT_TRUE(check_config(*config));
}

}  // namespace
}  // namespace millrace::sidecar
