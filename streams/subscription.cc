#include "streams/subscription.h"

#include <algorithm>

#include "streams/checkpoint.h"

namespace millrace::streams {
namespace {

// A position that moves over log without interest to the subscription is persisted this often. Far
// more than the entry that persists it, so that an idle node does not keep itself busy; far less
// than a segment, so that the position does not hold one back.
constexpr size_t kQuietLogBytes = 8u << 20;

ChangeFilter filter_of(const SubscriptionOptions& options) {
  return {{{options.tables.begin(), options.tables.end()}}, options.range, options.events};
}

}  // namespace

struct Subscription::Checkpoint {
  std::mutex mutex;
  Lsn persisted = 0;
  bool exists = false;  // the item, as far as is known
  bool in_flight = false;
  bool failed = false;  // the last one: to be tried again though nothing is acknowledged since
};

class Subscription::SaveCheckpoint final : public Command {
 public:
  SaveCheckpoint(std::string_view name, Lsn lsn, std::shared_ptr<Checkpoint> checkpoint)
      : key_(checkpoint_key(name)),
        image_(checkpoint_item(name, lsn)),
        lsn_(lsn),
        checkpoint_(std::move(checkpoint)) {}

  size_t bytes() const override { return key_.size() + image_.size() + sizeof *this; }

  void evaluate(Commit& commit) override {
    std::string before;
    auto existed = commit.get(key_, before);
    if (!existed) {
      status_ = existed.error();
    } else if (!*existed || before != image_) {
      commit.put(key_, image_, *existed, std::nullopt);
    }
  }

  void done(const Status& status) override {
    std::lock_guard lock(checkpoint_->mutex);
    checkpoint_->in_flight = false;
    checkpoint_->failed = !status || !status_;
    if (checkpoint_->failed) return;
    checkpoint_->exists = true;
    checkpoint_->persisted = lsn_;
  }

 private:
  const std::string key_, image_;
  const Lsn lsn_;
  const std::shared_ptr<Checkpoint> checkpoint_;
  Status status_;
};

class Subscription::KeepOldImages final : public Command {
 public:
  explicit KeepOldImages(std::string_view table) : key_(Catalog::key_of(table)) {}

  size_t bytes() const override { return key_.size() + sizeof *this; }
  // It changes a definition, which writes read from the published catalogue.
  bool alone() const override { return true; }

  void evaluate(Commit& commit) override {
    std::string image;
    auto exists = commit.get(key_, image);
    if (!exists || !*exists) return;
    auto table = Catalog::decode(ItemView(image));
    if (!table || table->keep_old_images) return;
    table->keep_old_images = true;
    commit.put(key_, Catalog::encode(*table), true, std::nullopt);
  }

  // If it failed the engine has stopped, or the table is still seen without and asked for again.
  void done(const Status&) override {}

 private:
  const std::string key_;
};

Result<std::unique_ptr<Subscription>> Subscription::open(Node& node, SubscriptionOptions options) {
  if (options.name.empty() || options.name.size() > 255) {
    return make_error(ErrorCode::kConfig, "a subscription's name has 1 to 255 bytes");
  }
  std::string image;
  ASSIGN_OR_RETURN(bool found, node.engine.view()->get(checkpoint_key(options.name), image));
  Lsn position;
  if (found) {
    ASSIGN_OR_RETURN(position, checkpoint_lsn(image));
  } else {
    ASSIGN_OR_RETURN(Lsn from, options.start.resolve(node.engine.log(), node.catalog,
                                                     filter_of(options).tables));
    position = from == 0 ? 0 : from - 1;
  }
  std::unique_ptr<Subscription> subscription(
      new Subscription(node, std::move(options), position, found));
  if (subscription->options_.old_images) {
    for (const std::string& table : subscription->options_.tables) {
      node.catalog.keep_old_images_of(table);
    }
    if (subscription->options_.tables.empty()) node.catalog.keep_old_images_of("");
    subscription->keep_old_images();
  }
  if (!found) subscription->flush();
  return subscription;
}

Subscription::Subscription(Node& node, SubscriptionOptions options, Lsn position, bool persisted)
    : node_(node),
      options_(std::move(options)),
      filter_(filter_of(options_)),
      checkpoint_(std::make_shared<Checkpoint>()),
      reader_(node.engine.log(), node.catalog, filter_, position + 1),
      read_through_(position),
      acknowledged_(position),
      saved_ns_(node.clock.monotonic_ns()) {
  checkpoint_->persisted = position;
  checkpoint_->exists = persisted;
}

Subscription::~Subscription() = default;

void Subscription::keep_old_images() {
  for (const TablePtr& table : node_.catalog.tables()) {
    bool wanted = options_.tables.empty() ||
                  std::find(options_.tables.begin(), options_.tables.end(), table->name) !=
                      options_.tables.end();
    if (wanted && !table->keep_old_images)
      node_.submit(std::make_unique<KeepOldImages>(table->name));
  }
}

Result<ChangeBatch> Subscription::read(size_t records_max, size_t bytes_max) {
  Lsn trimmed_below = 0;
  for (;;) {
    auto batch = reader_.read(records_max, bytes_max);
    if (batch) batch->trimmed_below = trimmed_below;
    if (batch || batch.error().code != ErrorCode::kTrimmed) return batch;
    const Lsn first = first_whole_lsn(node_.engine.log(), node_.catalog, filter_.tables);
    if (!options_.go_on_when_trimmed) {
      return make_error(ErrorCode::kTrimmed, "subscription '" + options_.name + "' needs LSN " +
                                                 std::to_string(reader_.position()) +
                                                 ", but the log holds them from LSN " +
                                                 std::to_string(first) +
                                                 " on: changes were trimmed before it read them");
    }
    reader_.seek(first);
    trimmed_below = first;
    std::lock_guard lock(mutex_);
    ++gaps_;
  }
}

Result<ChangeBatch> Subscription::poll(size_t records_max, size_t bytes_max) {
  ChangeBatch batch;
  std::unique_ptr<Command> checkpoint;
  {
    std::lock_guard reading(reading_);
    ASSIGN_OR_RETURN(batch, read(records_max, bytes_max));
    std::lock_guard lock(mutex_);
    // What was passed while nothing was handed out stays done with: the position never falls.
    if (handed_out_.empty()) acknowledged_ = std::max(acknowledged_, read_through_);
    read_through_ = batch.through;
    log_bytes_since_save_ += batch.log_bytes;
    if (!batch.changes.empty()) {
      handed_out_.emplace_back(batch.changes.back().change.lsn, batch.changes.size());
    }
    checkpoint = checkpoint_if_due();
  }
  // Submitted outside of the locks: whoever submits may commit there and then.
  if (checkpoint) node_.submit(std::move(checkpoint));
  // A definition that passes by may be of a table that was created without old images: before this
  // subscription asked for them, that is.
  if (batch.definitions_changed && options_.old_images) keep_old_images();
  return batch;
}

void Subscription::acknowledge(Lsn lsn) {
  std::unique_ptr<Command> checkpoint;
  {
    std::lock_guard lock(mutex_);
    if (handed_out_.empty() || lsn <= acknowledged_) return;
    acknowledged_ = std::min(lsn, handed_out_.back().first);
    ++records_since_save_;  // at least one; whole batches are counted below
    while (!handed_out_.empty() && handed_out_.front().first <= acknowledged_) {
      records_since_save_ += handed_out_.front().second;
      handed_out_.pop_front();
    }
    checkpoint = checkpoint_if_due();
  }
  if (checkpoint) node_.submit(std::move(checkpoint));
}

void Subscription::rewind() {
  std::lock_guard reading(reading_);
  std::lock_guard lock(mutex_);
  if (!handed_out_.empty()) read_through_ = acknowledged_;
  handed_out_.clear();
  reader_.seek(read_through_ + 1);
}

Lsn Subscription::position_locked() const {
  return handed_out_.empty() ? std::max(read_through_, acknowledged_) : acknowledged_;
}

std::unique_ptr<Command> Subscription::checkpoint_if_due() {
  bool moved = records_since_save_ > 0;
  {
    std::lock_guard lock(checkpoint_->mutex);
    moved = moved || checkpoint_->failed;
  }
  bool due = records_since_save_ >= options_.checkpoint_records ||
             node_.clock.monotonic_ns() - saved_ns_ >= options_.checkpoint_interval_ms * 1'000'000;
  if ((moved && due) || log_bytes_since_save_ >= kQuietLogBytes) return checkpoint();
  return nullptr;
}

std::unique_ptr<Command> Subscription::checkpoint() {
  const Lsn position = position_locked();
  {
    std::lock_guard lock(checkpoint_->mutex);
    if (checkpoint_->in_flight) return nullptr;  // due again when that is done
    if (checkpoint_->exists && position <= checkpoint_->persisted) return nullptr;
    checkpoint_->in_flight = true;
  }
  records_since_save_ = 0;
  log_bytes_since_save_ = 0;
  saved_ns_ = node_.clock.monotonic_ns();
  return std::make_unique<SaveCheckpoint>(options_.name, position, checkpoint_);
}

void Subscription::flush() {
  std::unique_ptr<Command> command;
  {
    std::lock_guard lock(mutex_);
    command = checkpoint();
  }
  if (command) node_.submit(std::move(command));
}

Lsn Subscription::position() const {
  std::lock_guard lock(mutex_);
  return position_locked();
}

Lsn Subscription::persisted() const {
  std::lock_guard lock(checkpoint_->mutex);
  return checkpoint_->persisted;
}

uint64_t Subscription::gaps() const {
  std::lock_guard lock(mutex_);
  return gaps_;
}

}  // namespace millrace::streams
