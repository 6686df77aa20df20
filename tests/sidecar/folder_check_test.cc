#include "sidecar/folder_check.h"

#include <leveldb/env.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "core/base/disk.h"
#include "core/ops/catalog.h"
#include "core/ops/index_changes.h"
#include "core/store/data_folder.h"
#include "core/store/engine.h"

namespace millrace::sidecar {
namespace {

class Write final : public Command {
 public:
  explicit Write(std::function<void(Commit&)> evaluate) : evaluate_(std::move(evaluate)) {}
  size_t bytes() const override { return 100; }
  void evaluate(Commit& commit) override { evaluate_(commit); }
  void done(const Status& status) override { EXPECT_TRUE(status); }

 private:
  const std::function<void(Commit&)> evaluate_;
};

class FolderCheckTest : public ::testing::Test {
 protected:
  FolderCheckTest() {
    folder_ = testing::TempDir() + "folder-check-" + std::to_string(::getpid()) + "-" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    DataFolderIdentity identity;
    identity.iterator_key = std::string(32, 'k');
    EXPECT_TRUE(DataFolder::open(folder_, disk_, identity));
    EngineOptions options;
    options.folder = folder_;
    engine_ = Engine::open(options, disk_, leveldb::Env::Default(), clock_).value();

    table_.name = "films";
    table_.id = "00000000-0000-0000-0000-000000000001";
    table_.generation = kFirstUserGeneration;
    table_.key.partition = {"title", ValueType::kString};
    table_.billing_mode = "PAY_PER_REQUEST";
    Index index;
    index.name = "by-year";
    index.generation = kFirstUserGeneration + 1;
    index.key.partition = {{"year", ValueType::kNumber}};
    index.projection = IndexProjection::kKeysOnly;
    table_.indexes.push_back(index);
    run([&](Commit& commit) {
      commit.put(Catalog::key_of("films"), Catalog::encode(table_), false, {});
    });
  }
  ~FolderCheckTest() override { std::filesystem::remove_all(folder_); }

  void run(std::function<void(Commit&)> evaluate) {
    EXPECT_TRUE(engine_->submit(std::make_unique<Write>(std::move(evaluate))));
    engine_->step();
  }
  static std::string film(const std::string& title, const char* year) {
    return encode_item({{"title", Value::string(title)},
                        {"year", Value::number(Number::parse(year).value())},
                        {"text", Value::string("x")}});
  }
  std::string key_of(const std::string& title) const {
    const std::string item = film(title, "1");
    return store_key(table_.key, table_.generation, ItemView(item).attributes(), false).value();
  }
  // The film with the entries that `indexed` should have.
  void put(const std::string& title, const std::string& item, const std::string& indexed) {
    IndexChanges changes;
    append_index_changes(table_, std::nullopt, ItemView(indexed), changes);
    run([&](Commit& commit) { commit.put(key_of(title), item, false, {}, changes); });
  }
  /// Enough for several blocks of the table file.
  void put_many() {
    for (int i = 0; i < 300; ++i) {
      const std::string title = "film " + std::to_string(i);
      put(title, film(title, "1979"), film(title, "1979"));
    }
  }
  /// The only one.
  std::string table_file() const { return file_of("/tables", ".ldb"); }
  std::string file_of(const std::string& part, const std::string& extension) const {
    std::string found;
    for (const auto& file : std::filesystem::directory_iterator(folder_ + part)) {
      if (file.path().extension() != extension) continue;
      EXPECT_EQ(found, "");
      found = file.path();
    }
    return found;
  }
  static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void write(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }
  FolderReport checked() {
    EXPECT_TRUE(engine_->checkpoint());
    engine_.reset();
    return check_folder(folder_, clock_).value();
  }

  std::string folder_;
  PosixDisk disk_;
  SystemClock clock_;
  Table table_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(FolderCheckTest, SaysWhatASoundFolderHolds) {
  put("Alien", film("Alien", "1979"), film("Alien", "1979"));
  put("Brazil", film("Brazil", "1985"), film("Brazil", "1985"));
  FolderReport report = checked();
  EXPECT_TRUE(report.findings.empty()) << report_text(report);
  EXPECT_EQ(report.tables, 1u);
  EXPECT_EQ(report.items, 2u);
  EXPECT_EQ(report.index_entries, 2u);
  EXPECT_EQ(report.region, "us-east-1");
  EXPECT_EQ(report.last_lsn, report.checkpoint_lsn);
  EXPECT_NE(report_json(report).find("\"sound\":true"), std::string::npos);
}

TEST_F(FolderCheckTest, NamesAnIndexEntryThatIsMissingAndOneThatIsTooMany) {
  put("Alien", film("Alien", "1979"), film("Alien", "1980"));
  FolderReport report = checked();
  ASSERT_EQ(report.findings.size(), 2u) << report_text(report);
  EXPECT_EQ(report.findings[0].part, "indexes");
  EXPECT_EQ(report.findings[0].what,
            "index films/by-year: the entry of item {\"title\":{\"S\":\"Alien\"}} is missing");
  EXPECT_EQ(report.findings[1].what, "index films/by-year has 1 entries, of which 0 are of items");
}

TEST_F(FolderCheckTest, NamesAnItemThatLiesUnderAnothersKeyAndOneThatIsNone) {
  put("Alien", film("Brazil", "1985"), film("Brazil", "1985"));
  run([&](Commit& commit) { commit.put(key_of("Dune"), "no item", false, {}); });
  FolderReport report = checked();
  ASSERT_EQ(report.findings.size(), 2u) << report_text(report);
  for (const FolderReport::Finding& finding : report.findings) EXPECT_EQ(finding.part, "items");
}

TEST_F(FolderCheckTest, TellsEachDamageOfATableFileOnce) {
  put_many();
  EXPECT_TRUE(checked().findings.empty());
  const std::string file = table_file();
  const std::string sound = read(file);
  std::set<std::string> told;
  // In blocks of definitions, items and entries of the index. Behind them lies the filter, without
  // which LevelDB does as well: it leaves a damaged one aside.
  for (size_t at = 10; at < sound.size() * 3 / 4; at += 997) {
    std::string damaged = sound;
    damaged[at] ^= 1;
    write(file, damaged);
    const FolderReport report = check_folder(folder_, clock_).value();
    ASSERT_EQ(report.findings.size(), 1u) << at << " " << report_text(report);
    EXPECT_EQ(report.findings[0].part, "tables");
    EXPECT_TRUE(report.findings[0].what.starts_with(file + ": ")) << report.findings[0].what;
    told.insert(std::to_string(report.items) + " " + std::to_string(report.index_entries));
  }
  EXPECT_GE(told.size(), 3u) << "all of the damage was met by the same walk";
}

TEST_F(FolderCheckTest, TellsTablesThatCannotBeOpenedOnce) {
  put("Alien", film("Alien", "1979"), film("Alien", "1979"));
  EXPECT_TRUE(checked().findings.empty());
  std::filesystem::remove(table_file());
  const FolderReport report = check_folder(folder_, clock_).value();
  ASSERT_EQ(report.findings.size(), 1u) << report_text(report);
  EXPECT_EQ(report.findings[0].part, "tables");
  EXPECT_TRUE(report.findings[0].what.starts_with("Corruption: 1 missing files"))
      << report.findings[0].what;
}

TEST_F(FolderCheckTest, TellsDamageInATableAndInTheLogApart) {
  put_many();
  EXPECT_TRUE(checked().findings.empty());
  const std::string file = table_file();
  std::string content = read(file);
  content[content.size() / 2] ^= 1;
  write(file, content);
  const std::string segment = file_of("/log", ".log");
  content = read(segment);
  content[100] ^= 1;
  write(segment, content);
  const FolderReport report = check_folder(folder_, clock_).value();
  ASSERT_EQ(report.findings.size(), 2u) << report_text(report);
  EXPECT_EQ(report.findings[0].part, "tables");
  EXPECT_EQ(report.findings[1].part, "log");
}

TEST_F(FolderCheckTest, RefusesWhatIsNoDataFolder) {
  Result<FolderReport> report = check_folder(folder_ + "/absent", clock_);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kConfig);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/absent"));
}

}  // namespace
}  // namespace millrace::sidecar
