#include <atomic>

#include "log_rewrite_fixture.h"

namespace millrace {
namespace {

/// Counts what is read of the files of a disk, and how many of them are open.
class CountingDisk final : public Disk {
 public:
  explicit CountingDisk(Disk& disk) : disk_(disk) {}

  Result<std::unique_ptr<File>> open(const std::string& path, bool create) override {
    ASSIGN_OR_RETURN(std::unique_ptr<File> file, disk_.open(path, create));
    return std::unique_ptr<File>(new Counted(*this, std::move(file)));
  }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    return disk_.list(folder);
  }
  Status rename(const std::string& from, const std::string& to) override {
    return disk_.rename(from, to);
  }
  Status remove(const std::string& path) override { return disk_.remove(path); }
  Status create_folder(const std::string& path) override { return disk_.create_folder(path); }
  bool exists(const std::string& path) override { return disk_.exists(path); }
  Status sync_folder(const std::string& folder) override { return disk_.sync_folder(folder); }
  Result<uint64_t> free_bytes(const std::string& folder) override {
    return disk_.free_bytes(folder);
  }
  Result<uint64_t> used_bytes(const std::string& path) override { return disk_.used_bytes(path); }

  std::atomic<uint64_t> bytes_read{0};
  std::atomic<int> open_files{0};

 private:
  class Counted final : public File {
   public:
    Counted(CountingDisk& disk, std::unique_ptr<File> file) : disk_(disk), file_(std::move(file)) {
      ++disk_.open_files;
    }
    ~Counted() override { --disk_.open_files; }
    Status read(uint64_t offset, size_t size, std::string& out) const override {
      Status status = file_->read(offset, size, out);
      disk_.bytes_read += out.size();
      return status;
    }
    Status write(uint64_t offset, std::string_view bytes) override {
      return file_->write(offset, bytes);
    }
    Status sync() override { return file_->sync(); }
    Result<uint64_t> size() const override { return file_->size(); }

   private:
    CountingDisk& disk_;
    const std::unique_ptr<File> file_;
  };

  Disk& disk_;
};

TEST_F(LogRewriteTest, AStartReadsOnlyTheHeadsOfRetainedSegmentsAndKeepsNoneOpen) {
  options_.segment_bytes = options_.first_segment_bytes = 256 << 10;
  open();
  while (log_->segments().size() < 40) append_entries({{kBusy}, {kBusy}}, 8000);
  const LogCheckpoint checkpoint = last_checkpoint();
  rewrite_all([segments = log_->segments()](uint64_t, Lsn lsn) {
    return lsn >= segments[20].first_lsn;  // half of them are rewritten
  });
  log_.reset();

  CountingDisk counting(disk_);
  auto log =
      Log::open(counting, options_, kFirst, checkpoint, [](const FramePtr&) { return Status(); });
  ASSERT_TRUE(log) << log.error().message;
  const auto segments = (*log)->segments();
  ASSERT_EQ(segments.size(), 40u);
  uint64_t retained = 0;
  for (const SegmentInfo& segment : segments) retained += segment.bytes;
  ASSERT_GT(retained, 5u << 20);
  // The open one is read, and the place behind its end looked at.
  EXPECT_LT(counting.bytes_read,
            segments.size() * SegmentHeader::kRewrittenBytes + 3 * options_.segment_bytes);
  EXPECT_EQ(counting.open_files, 1);
  // Reading on leaves nothing open either.
  LogCursor cursor(**log, kFirst);
  for (;;) {
    auto frame = cursor.next();
    ASSERT_TRUE(frame) << frame.error().message;
    if (!*frame) break;
  }
  EXPECT_EQ(counting.open_files, 1);
}

}  // namespace
}  // namespace millrace
