#include <atomic>

#include "forwarding_disk.h"
#include "log_rewrite_fixture.h"

namespace millrace {
namespace {

/// Counts what is read of the files of a disk, and how many of them are open.
class CountingDisk final : public ForwardingDisk {
 public:
  using ForwardingDisk::ForwardingDisk;

  Result<std::unique_ptr<File>> open(const std::string& path, bool create) override {
    ASSIGN_OR_RETURN(std::unique_ptr<File> file, ForwardingDisk::open(path, create));
    return std::unique_ptr<File>(new Counted(*this, std::move(file)));
  }

  std::atomic<uint64_t> bytes_read{0};
  std::atomic<int> open_files{0};

 private:
  class Counted final : public ForwardingFile {
   public:
    Counted(CountingDisk& disk, std::unique_ptr<File> file)
        : ForwardingFile(std::move(file)), disk_(disk) {
      ++disk_.open_files;
    }
    ~Counted() override { --disk_.open_files; }
    Status read(uint64_t offset, size_t size, std::string& out) const override {
      Status status = ForwardingFile::read(offset, size, out);
      disk_.bytes_read += out.size();
      return status;
    }

   private:
    CountingDisk& disk_;
  };
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
  auto log = Log::open(counting, options_, kFirst, checkpoint,
                       [](const FramePtr&, const auto&) { return Status(); });
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
