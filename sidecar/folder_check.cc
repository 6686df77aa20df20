#include "sidecar/folder_check.h"

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/disk.h"
#include "core/base/overlay_disk.h"
#include "core/model/item_json.h"
#include "core/ops/catalog.h"
#include "core/ops/index_changes.h"
#include "core/store/data_folder.h"
#include "core/store/disk_env.h"
#include "core/store/engine.h"
#include "core/store/leveldb_status.h"
#include "core/store/table_files.h"

namespace millrace::sidecar {
namespace {

// A folder with more damage than this needs no list of it.
constexpr size_t kFindingsMax = 100;

// LevelDB's disk, on which no table can be made: a look at a folder must not rewrite it, be it in
// memory. The first compaction fails, and no other is begun; reading goes on.
class NoTablesEnv final : public DiskEnv {
 public:
  using DiskEnv::DiskEnv;
  leveldb::Status NewWritableFile(const std::string& path, leveldb::WritableFile** file) override {
    if (path.ends_with(".ldb")) return leveldb::Status::IOError("only looked at", path);
    return DiskEnv::NewWritableFile(path, file);
  }
};

class FolderCheck {
 public:
  FolderCheck(std::string path, Clock& clock) : path_(std::move(path)), clock_(clock) {}

  Result<FolderReport> run() {
    ASSIGN_OR_RETURN(const auto lock, FolderLock::acquire_to_look(path_));
    RETURN_IF_ERROR(check_format());
    check_tables();
    open_engine();
    if (engine_ == nullptr) return std::move(report_);
    check_log();
    Catalog catalog(report_.region, report_.account);
    if (Status loaded = catalog.load(*engine_->view()); loaded) {
      for (const TablePtr& table : catalog.tables()) check_table(*table);
    } else {
      add_of_store("catalogue", loaded.error());
    }
    return std::move(report_);
  }

 private:
  void add(std::string part, std::string what) {
    if (report_.findings.size() < kFindingsMax) {
      report_.findings.push_back({std::move(part), std::move(what)});
    }
  }

  // What a walk through the store meets. The tables' files have been read by then, each to its end:
  // what is damaged there is told by its file, and not by each walk that comes by.
  void add_of_store(const std::string& part, const Error& error) {
    if (!error.message.starts_with(kTablesErrorStart)) return add(part, error.message);
    if (!tables_damaged_) add("tables", error.message.substr(kTablesErrorStart.size()));
    tables_damaged_ = true;
  }

  Status check_format() {
    if (!disk_.exists(path_ + "/FORMAT")) {
      return make_error(ErrorCode::kConfig,
                        path_ + " holds no FORMAT file: it is no Millrace data folder");
    }
    Result<DataFolder> folder = DataFolder::open(path_, disk_, {});
    if (!folder) {
      add("format", folder.error().message);
      return {};
    }
    report_.format = DataFolder::kFormat;
    report_.region = folder->region();
    report_.account = folder->account();
    return {};
  }

  void check_tables() {
    if (!disk_.exists(path_ + "/tables")) return;
    OverlayDisk disk(below_);
    NoTablesEnv env(disk);
    Result<uint64_t> files = check_table_files(
        env, path_ + "/tables", [this](const std::string& file, const std::string& what) {
          add("tables", file + ": " + what);
          tables_damaged_ = true;
        });
    if (files) {
      report_.table_files = *files;
    } else {
      add_of_store("tables", files.error());
    }
  }

  void open_engine() {
    EngineOptions options;
    options.folder = path_;
    // What is replayed stays in memory.
    options.memory_table_bytes = size_t{1} << 30;
    options.memory_tables_bytes_max = size_t{1} << 40;
    Result<std::unique_ptr<Engine>> engine = Engine::open(options, disk_, &env_, clock_);
    if (!engine) return add_of_store("log", engine.error());
    engine_ = *std::move(engine);
    report_.checkpoint_lsn = engine_->statistics().checkpoint_lsn;
  }

  // Also what is older than the checkpoint: streams still read it.
  void check_log() {
    Log& log = engine_->log();
    for (const SegmentInfo& segment : log.segments()) {
      ++report_.segments;
      if (segment.rewrites > 0) ++report_.rewritten_segments;
      report_.log_bytes += segment.bytes;
    }
    report_.first_lsn = log.first_retained_lsn();
    report_.last_lsn = log.durable_lsn();
    LogCursor cursor(log, report_.first_lsn);
    for (;;) {
      Result<FramePtr> frame = cursor.next();
      if (!frame) return add("log", frame.error().message);
      if (!*frame) return;
      ++report_.frames;
    }
  }

  void check_table(const Table& table) {
    ++report_.tables;
    found_.clear();
    items_damaged_ = false;
    walk(table.generation,
         [&](std::string_view key, std::string_view image) { check_item(table, key, image); });
    for (const Index& index : table.indexes) {
      check_strays(index.generation, "index " + table.name + "/" + index.name);
    }
    if (table.ttl) check_strays(table.ttl->generation, "expiry of table " + table.name);
  }

  void check_item(const Table& table, std::string_view key, std::string_view image) {
    ++report_.items;
    if (Status valid = validate_item(image); !valid) {
      items_damaged_ = true;
      return add("items", "table " + table.name + ": an item is not one: " + valid.error().message);
    }
    const ItemView item(image);
    Result<std::string> own_key = store_key(table.key, table.generation, item.attributes(), false);
    if (!own_key || *own_key != key) {
      items_damaged_ = true;
      return add("items", "table " + table.name + ": " + name_of(table, item) +
                              " does not lie under its key");
    }
    IndexChanges expected;
    append_index_changes(table, std::nullopt, item, expected);
    for (const IndexChange& entry : expected.view()) check_entry(table, item, entry);
  }

  void check_entry(const Table& table, ItemView item, const IndexChange& entry) {
    const Generation generation = get_big_endian64(entry.key.data());
    std::string image;
    Result<bool> there = engine_->view()->get(entry.key, image);
    if (!there) return add_of_store("tables", there.error());
    const std::string where =
        index_name(table, generation) + ": the entry of " + name_of(table, item);
    if (!*there) {
      // While an index is made the entries of older items are still to come.
      if (!is_in_making(table, generation)) add("indexes", where + " is missing");
      return;
    }
    ++found_[generation];
    const std::string_view wanted =
        entry.kind == IndexChangeKind::kPutItem ? item.encoded() : entry.image;
    if (image != wanted) add("indexes", where + " is not what the item says");
  }

  // Every entry that an item accounts for has been counted: more are of no item. Beside items that
  // could not be read nobody knows.
  void check_strays(Generation generation, const std::string& name) {
    uint64_t entries = 0;
    walk(generation, [&](std::string_view, std::string_view) { ++entries; });
    report_.index_entries += entries;
    const uint64_t wanted = found_[generation];
    if (entries == wanted || tables_damaged_ || items_damaged_) return;
    add("indexes", name + " has " + std::to_string(entries) + " entries, of which " +
                       std::to_string(wanted) + " are of items");
  }

  void walk(Generation generation,
            const std::function<void(std::string_view, std::string_view)>& visit) {
    std::string begin;
    append_generation_prefix(generation, begin);
    auto range = engine_->view()->range(begin, prefix_successor(begin), false);
    for (; range->valid(); range->next()) visit(range->key(), range->image());
    if (Status status = range->status(); !status) add_of_store("tables", status.error());
  }

  static bool is_in_making(const Table& table, Generation generation) {
    if (table.ttl && table.ttl->generation == generation) return table.ttl->backfilling;
    for (const Index& index : table.indexes) {
      if (index.generation == generation) return index.status == IndexStatus::kCreating;
    }
    return false;
  }
  static std::string index_name(const Table& table, Generation generation) {
    for (const Index& index : table.indexes) {
      if (index.generation == generation) return "index " + table.name + "/" + index.name;
    }
    return "expiry of table " + table.name;
  }
  static std::string name_of(const Table& table, ItemView item) {
    std::string name = "item {";
    auto append = [&](const std::string& attribute) {
      if (name.back() != '{') name += ',';
      render_json_string(attribute, name);
      name += ':';
      if (auto value = item.get(attribute)) render_value(*value, name);
    };
    append(table.key.partition.name);
    if (table.key.sort) append(table.key.sort->name);
    return name + "}";
  }

  const std::string path_;
  Clock& clock_;
  PosixDisk below_{true};
  OverlayDisk disk_{below_};
  NoTablesEnv env_{disk_};
  std::unique_ptr<Engine> engine_;
  bool tables_damaged_ = false;           // and told so
  bool items_damaged_ = false;            // of the table that is checked
  std::map<Generation, uint64_t> found_;  // entries of items, by index
  FolderReport report_;
};

std::string of_bytes(uint64_t bytes) { return std::to_string((bytes + (1u << 19)) >> 20) + " MB"; }

}  // namespace

Result<FolderReport> check_folder(const std::string& path, Clock& clock) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  return FolderCheck(std::move(trimmed), clock).run();
}

std::string report_text(const FolderReport& report) {
  std::string out;
  auto line = [&out](const std::string& part, const std::string& text) {
    out += part + std::string(12 - part.size(), ' ') + text + "\n";
  };
  if (report.format != 0) {
    line("format", std::to_string(report.format) + ", region " + report.region + ", account " +
                       report.account);
  }
  line("log", std::to_string(report.segments) + " segments of " + of_bytes(report.log_bytes) +
                  " (" + std::to_string(report.rewritten_segments) + " rewritten), " +
                  std::to_string(report.frames) + " frames, LSN " +
                  std::to_string(report.first_lsn) + " to " + std::to_string(report.last_lsn));
  line("checkpoint", "LSN " + std::to_string(report.checkpoint_lsn));
  line("tables", std::to_string(report.table_files) + " files");
  line("items", std::to_string(report.items) + " in " + std::to_string(report.tables) +
                    " tables, " + std::to_string(report.index_entries) + " entries of indexes");
  for (const FolderReport::Finding& finding : report.findings) {
    out += "DAMAGED: " + finding.part + ": " + finding.what + "\n";
  }
  if (report.findings.empty()) out += "no damage found\n";
  return out;
}

std::string report_json(const FolderReport& report) {
  std::string out = "{\"sound\":";
  out += report.findings.empty() ? "true" : "false";
  auto number = [&out](const char* name, uint64_t value) {
    out.append(",\"").append(name).append("\":").append(std::to_string(value));
  };
  auto text = [&out](const char* name, const std::string& value) {
    out.append(",\"").append(name).append("\":");
    render_json_string(value, out);
  };
  number("format", static_cast<uint64_t>(report.format));
  text("region", report.region);
  text("account", report.account);
  number("segments", report.segments);
  number("rewritten_segments", report.rewritten_segments);
  number("log_bytes", report.log_bytes);
  number("frames", report.frames);
  number("first_lsn", report.first_lsn);
  number("last_lsn", report.last_lsn);
  number("checkpoint_lsn", report.checkpoint_lsn);
  number("table_files", report.table_files);
  number("tables", report.tables);
  number("items", report.items);
  number("index_entries", report.index_entries);
  out += ",\"findings\":[";
  for (const FolderReport::Finding& finding : report.findings) {
    if (out.back() != '[') out += ',';
    out += "{\"part\":";
    render_json_string(finding.part, out);
    out += ",\"what\":";
    render_json_string(finding.what, out);
    out += '}';
  }
  return out + "]}\n";
}

int check(const CheckOptions& options) {
  SystemClock clock;
  Result<FolderReport> report = check_folder(options.data, clock);
  if (!report) {
    std::fprintf(stderr, "millrace: %s\n", report.error().message.c_str());
    return 2;
  }
  std::fputs((options.json ? report_json(*report) : report_text(*report)).c_str(), stdout);
  return report->findings.empty() ? 0 : 1;
}

}  // namespace millrace::sidecar
