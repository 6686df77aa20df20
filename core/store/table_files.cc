#include "core/store/table_files.h"

#include <leveldb/db.h>
#include <leveldb/table.h>

#include <charconv>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "core/store/leveldb_status.h"

namespace millrace {
namespace {

std::optional<uint64_t> number_of_file(const std::string& name) {
  if (!name.ends_with(".ldb") && !name.ends_with(".sst")) return std::nullopt;
  uint64_t number = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || *end != '.') return std::nullopt;
  return number;
}

// From LevelDB's listing, whose lines of files begin with a space, the number and a colon.
std::set<uint64_t> live_files(leveldb::DB& db) {
  std::string listing;
  db.GetProperty("leveldb.sstables", &listing);
  std::set<uint64_t> numbers;
  for (size_t at = 0; at < listing.size();) {
    const size_t end = std::min(listing.find('\n', at), listing.size());
    uint64_t number = 0;
    const char* last = listing.data() + end;
    if (listing[at] == ' ') {
      auto [colon, error] = std::from_chars(listing.data() + at + 1, last, number);
      if (error == std::errc() && colon != last && *colon == ':') numbers.insert(number);
    }
    at = end + 1;
  }
  return numbers;
}

leveldb::Status read_all(leveldb::Env& env, const std::string& path) {
  uint64_t size = 0;
  leveldb::RandomAccessFile* opened = nullptr;
  if (leveldb::Status status = env.GetFileSize(path, &size); !status.ok()) return status;
  if (leveldb::Status status = env.NewRandomAccessFile(path, &opened); !status.ok()) return status;
  const std::unique_ptr<leveldb::RandomAccessFile> file(opened);
  leveldb::Options options;
  options.env = &env;
  options.paranoid_checks = true;
  leveldb::Table* made = nullptr;
  leveldb::Status status = leveldb::Table::Open(options, file.get(), size, &made);
  const std::unique_ptr<leveldb::Table> table(made);
  if (!status.ok()) return status;
  leveldb::ReadOptions read;
  read.verify_checksums = true;
  read.fill_cache = false;
  const std::unique_ptr<leveldb::Iterator> it(table->NewIterator(read));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
  }
  return it->status();
}

}  // namespace

Result<uint64_t> check_table_files(
    leveldb::Env& env, const std::string& folder,
    const std::function<void(const std::string& path, const std::string& what)>& damaged) {
  std::vector<std::string> names;
  RETURN_IF_ERROR(checked(env.GetChildren(folder, &names)));
  leveldb::Options options;
  options.env = &env;
  options.paranoid_checks = true;
  options.compression = leveldb::kNoCompression;
  leveldb::DB* opened = nullptr;
  const leveldb::Status status = leveldb::DB::Open(options, folder, &opened);
  const std::unique_ptr<leveldb::DB> db(opened);
  const std::set<uint64_t> live = db ? live_files(*db) : std::set<uint64_t>();
  uint64_t count = 0;
  for (const std::string& name : names) {
    const std::optional<uint64_t> number = number_of_file(name);
    // Others are what an interrupted compaction left: LevelDB removes them.
    if (!number || (db && !live.contains(*number))) continue;
    ++count;
    const std::string path = folder + "/" + name;
    if (leveldb::Status read = read_all(env, path); !read.ok()) damaged(path, read.ToString());
  }
  RETURN_IF_ERROR(checked(status));
  return count;
}

}  // namespace millrace
