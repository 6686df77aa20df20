#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cache/item_cache.h"
#include "cache_fixture.h"
#include "core/base/random.h"

namespace millrace::cache {

/// What a harness does wrong on purpose, to show that the checker would see it.
enum class PlantedBug : uint8_t {
  kNone,
  kUnguardedFill,     // fills carry the newest LSN, whatever their view's was
  kLateInvalidation,  // a frame is published first, and the cache told later
  kUnpublishedHit,    // readers accept entries above the published LSN
  kForgottenRemoval,  // the cache is not told of removals
};

/// A store of a few keys that remembers all versions of each, in the place of the engine: a frame
/// is staged, the cache told, and the frame published. One committer; readers on any thread.
class CoherenceModel {
 public:
  static constexpr size_t kKeys = 24;

  CoherenceModel(ItemCache& cache, PlantedBug bug) : cache_(cache), bug_(bug) {
    for (size_t i = 0; i < kKeys; ++i) keys_[i].key = key_named("key-" + std::to_string(i));
  }

  const std::string& key(size_t i) const { return keys_[i].key; }
  Lsn published() const { return published_.load(std::memory_order_acquire); }

  /// The committer: stages a random frame, of a transaction or not.
  void stage(Random& random) {
    std::vector<TestChange> changes;
    for (size_t n = 1 + (random.one_in(4) ? random.below(6) : 0); n > 0; --n) {
      VersionedKey& chosen = keys_[random.below(kKeys)];
      const Lsn lsn = next_lsn_ + changes.size();
      std::optional<std::string> image;
      if (!random.one_in(5)) image = item_of(lsn, padding(random));
      {
        std::lock_guard lock(chosen.mutex);
        chosen.versions.push_back({lsn, image});
      }
      if (bug_ != PlantedBug::kForgottenRemoval || image) {
        changes.push_back({chosen.key, std::move(image)});
      } else {  // its LSN passes with a change of a key that nobody reads
        changes.push_back({key_named("unread"), std::nullopt});
      }
    }
    staged_last_ = next_lsn_ + changes.size() - 1;
    staged_ = frame_of(next_lsn_, changes);
    next_lsn_ = staged_last_ + 1 + (random.one_in(8) ? random.below(100) : 0);
  }
  FramePtr frame() const { return staged_; }
  void tell_cache() { cache_.on_commit(staged_); }
  void publish() {
    published_.store(staged_last_, std::memory_order_release);
    staged_ = nullptr;
  }
  /// The whole commit, for a committer with a thread of its own; `between` runs between its two
  /// steps.
  void commit(Random& random, const std::function<void()>& between) {
    stage(random);
    if (bug_ == PlantedBug::kLateInvalidation) {
      FramePtr frame = staged_;
      publish();
      between();
      cache_.on_commit(frame);
    } else {
      tell_cache();
      between();
      publish();
    }
  }

  /// The item under a key as of `lsn`.
  std::optional<std::string> at(size_t i, Lsn lsn) const {
    const VersionedKey& key = keys_[i];
    std::lock_guard lock(key.mutex);
    for (auto it = key.versions.rbegin(); it != key.versions.rend(); ++it) {
      if (it->lsn <= lsn) return it->image;
    }
    return std::nullopt;
  }
  std::string body_at(size_t i, Lsn lsn) const {
    const std::optional<std::string> image = at(i, lsn);
    return image ? wire_of(*image) : "{}";
  }

 private:
  struct Version {
    Lsn lsn;
    std::optional<std::string> image;
  };
  struct VersionedKey {
    std::string key;
    mutable std::mutex mutex;
    std::vector<Version> versions;
  };

  /// Mostly small; one in eight too large to keep in the tiniest cache.
  static size_t padding(Random& random) {
    return random.one_in(8) ? 400 + random.below(1200) : random.below(100);
  }

  ItemCache& cache_;
  const PlantedBug bug_;
  std::array<VersionedKey, kKeys> keys_;
  Lsn next_lsn_ = 100;
  Lsn staged_last_ = 0;
  FramePtr staged_;
  std::atomic<Lsn> published_{99};
};

/// One client: it reads as a request's handler does, step by step, and checks each answer.
class CoherentClient {
 public:
  CoherentClient(CoherenceModel& model, ItemCache& cache, PlantedBug bug)
      : model_(model), cache_(cache), bug_(bug) {}

  enum class Step : uint8_t { kIdle, kViewed, kRead, kFill, kWaiting };
  Step step() const { return step_; }
  const std::string& error() const { return error_; }
  uint64_t answers() const { return answers_; }

  /// kIdle → asks the cache for a random key; or takes a view, as a batch does, and asks later.
  void begin(Random& random) {
    key_ = random.below(CoherenceModel::kKeys);
    form_ = random.one_in(3) ? ItemForm::kEncoded : ItemForm::kWire;
    view_lsn_ = model_.published();
    viewed_ = random.one_in(4);
    if (viewed_) {
      step_ = Step::kViewed;
    } else {
      look();
    }
  }
  /// kViewed, or kWaiting and resumed → asks the cache.
  void look() {
    const Lsn published = viewed_ ? view_lsn_ : model_.published();
    std::function<void()> resume;
    if (!viewed_) {
      resumed_.store(false);
      resume = [this] {
        resumed_.store(true, std::memory_order_release);
        resumed_.notify_one();
      };
    }
    const Lsn bound = bug_ == PlantedBug::kUnpublishedHit ? ~Lsn{0} : published;
    switch (cache_.find(model_.key(key_), bound, form_, take(), std::move(resume))) {
      case ReadCache::Outcome::kHit:
        answer(body_, published, "hit");
        step_ = Step::kIdle;
        break;
      case ReadCache::Outcome::kMiss:
      case ReadCache::Outcome::kMissExpired:
      case ReadCache::Outcome::kMissChanged:
        fills_ = true;
        step_ = Step::kRead;
        break;
      case ReadCache::Outcome::kNewer:
      case ReadCache::Outcome::kBusy:
      case ReadCache::Outcome::kOff:
        fills_ = false;
        step_ = Step::kRead;
        break;
      case ReadCache::Outcome::kWaiting:
        step_ = Step::kWaiting;
        break;
    }
  }
  /// kRead → reads the store at its view, or the newest one. Once in a while that fails: then an
  /// entry that has expired may do, else it reads again.
  void read(Random& random) {
    if (!viewed_) view_lsn_ = model_.published();
    if (random.one_in(8)) {
      if (std::exchange(fills_, false)) cache_.abandon(model_.key(key_));
      if (!cache_.find_expired(model_.key(key_), view_lsn_, form_, take())) return;
      answer(body_, view_lsn_, "expired hit");
      step_ = Step::kIdle;
      return;
    }
    image_ = model_.at(key_, view_lsn_);
    answer(image_ ? wire_of(*image_) : "{}", view_lsn_, "read");
    step_ = fills_ ? Step::kFill : Step::kIdle;
  }
  /// kFill → ends the miss, perhaps long after its read.
  void fill(Random& random) {
    step_ = Step::kIdle;
    if (random.one_in(20)) return cache_.abandon(model_.key(key_));
    const Lsn lsn = bug_ == PlantedBug::kUnguardedFill ? model_.published() : view_lsn_;
    cache_.fill(model_.key(key_), image_ ? std::optional(ItemView(*image_)) : std::nullopt, lsn);
  }
  /// kWaiting → looks again once it was resumed.
  bool resumed() const { return resumed_.load(std::memory_order_acquire); }
  void wait() const { resumed_.wait(false, std::memory_order_acquire); }

 private:
  ReadCache::Use take() {
    return [this](const CachedAnswer& answer) {
      body_ = answer.bytes;
      if (form_ == ItemForm::kEncoded) {
        body_ = answer.absent ? "{}" : wire_of(body_);
      } else if (crc32_of(answer.bytes) != answer.crc32) {
        error_ = "checksum of another body";
      }
      if (answer.absent != (body_ == "{}")) error_ = "absence and body differ";
    };
  }
  void answer(const std::string& body, Lsn lsn, const char* how) {
    ++answers_;
    if (lsn < newest_answered_) error_ = "the LSN of answers fell";
    newest_answered_ = lsn;
    if (const std::string expected = model_.body_at(key_, lsn);
        body != expected && error_.empty()) {
      error_ = std::string(how) + " of " + std::to_string(key_) + " at " + std::to_string(lsn) +
               ": " + body.substr(body.size() > 60 ? body.size() - 60 : 0) + " instead of " +
               expected.substr(expected.size() > 60 ? expected.size() - 60 : 0);
    }
  }

  CoherenceModel& model_;
  ItemCache& cache_;
  const PlantedBug bug_;
  Step step_ = Step::kIdle;
  size_t key_ = 0;
  ItemForm form_ = ItemForm::kWire;
  bool viewed_ = false;
  bool fills_ = false;
  Lsn view_lsn_ = 0;
  std::optional<std::string> image_;
  std::string body_;
  std::atomic<bool> resumed_{false};
  Lsn newest_answered_ = 0;
  uint64_t answers_ = 0;
  std::string error_;
};

}  // namespace millrace::cache
