#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/store/log_rewrite.h"
#include "log_fixture.h"

namespace millrace {

inline constexpr uint64_t kQuiet = 2001, kBusy = 2002;
inline constexpr Lsn kAll = UINT64_MAX;

inline uint64_t generation_of(const ChangeView& change) {
  return get_big_endian64(change.key.data());
}

inline NeededChange only(uint64_t generation) {
  return [generation](uint64_t of, Lsn) { return of == generation; };
}

/// A log with a busy and a quiet generation, and what rewrites it.
class LogRewriteTest : public LogTest {
 protected:
  /// One entry for each of `entries`, with a change of each generation that it names.
  FramePtr append_entries(const std::vector<std::vector<uint64_t>>& entries, size_t bytes = 200) {
    FrameBuilder builder(log_->next_lsn());
    for (const auto& generations : entries) {
      builder.begin_entry(static_cast<int64_t>(builder.next_lsn()) * 10);
      for (uint64_t generation : generations) {
        std::string key;
        put_big_endian64(key, generation);
        key += "key";
        builder.add_change(ChangeKind::kInsert, key, std::string(bytes, 'x'), std::nullopt);
      }
      builder.end_entry();
    }
    auto frame = log_->append(std::move(builder));
    EXPECT_TRUE(frame) << frame.error().message;
    if (!frame) return nullptr;
    frames_.push_back(*frame);
    return *frame;
  }
  /// Segments of which a small part is of the quiet generation; ends with a frame of a new one.
  void fill(size_t segments) {
    for (int i = 0; log_->segments().size() < segments; ++i) {
      if (i % 5 == 0) {
        append_entries({{kBusy}, {kBusy, kQuiet}, {kQuiet}, {kBusy}});
      } else {
        append_entries({{kBusy}, {kBusy}, {kBusy}});
      }
    }
  }
  static std::function<LogNeeds()> needs(NeededChange needed, Lsn below, Lsn settled = kAll) {
    return [=] { return LogNeeds{needed, below, settled}; };
  }
  void rewrite_all(LogRewriter& rewriter, const std::function<LogNeeds()>& needs) {
    for (;;) {
      auto more = rewriter.step(needs);
      ASSERT_TRUE(more) << more.error().message;
      if (!*more) return;
    }
  }
  void rewrite_all(NeededChange needed) {
    LogRewriter rewriter(*log_);
    rewrite_all(rewriter, needs(std::move(needed), log_->durable_lsn()));
  }
  /// LSNs of a generation's changes as they were appended, or as they are read.
  std::vector<Lsn> appended(uint64_t generation) const { return lsns(frames_, generation); }
  static std::vector<Lsn> lsns(const std::vector<FramePtr>& frames, uint64_t generation) {
    std::vector<Lsn> result;
    for (const FramePtr& frame : frames) {
      for (const EntryView& entry : *frame) {
        for (const ChangeView& change : entry) {
          if (generation_of(change) == generation) result.push_back(change.lsn);
        }
      }
    }
    return result;
  }
  LogCheckpoint last_checkpoint() { return *log_->checkpoint_at(frames_.back()); }
  std::vector<std::string> files() {
    auto names = disk_.list("log").value();
    std::sort(names.begin(), names.end());
    return names;
  }
};

}  // namespace millrace
