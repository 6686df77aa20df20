#include "streams/subscriptions.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/model/schema.h"
#include "streams/checkpoint.h"

namespace millrace::streams {
namespace {

struct Outcome {
  std::mutex mutex;
  std::optional<Status> status;  // none: under way
};

Error no_subscription(std::string_view name) {
  return make_error(ErrorCode::kResourceNotFound,
                    "there is no subscription '" + std::string(name) + "'");
}

}  // namespace

struct Subscriptions::Change {
  SubscriptionDefinition definition;
  ReaderNeeds needs;      // before the change and after it
  bool is_there = false;  // before the change
  bool removes = false;
  Done done;
  std::unique_ptr<Command> command;  // until it is submitted
  std::shared_ptr<Outcome> outcome = std::make_shared<Outcome>();
};

/// Writes or removes a subscription's items in one entry.
class Subscriptions::WriteItems final : public Command {
 public:
  struct Item {
    std::string key;
    std::optional<std::string> image;  // none: removed
  };
  WriteItems(std::vector<Item> items, std::shared_ptr<Outcome> outcome)
      : items_(std::move(items)), outcome_(std::move(outcome)) {}

  size_t bytes() const override {
    size_t bytes = sizeof *this;
    for (const Item& item : items_)
      bytes += item.key.size() + (item.image ? item.image->size() : 0);
    return bytes;
  }

  void evaluate(Commit& commit) override {
    std::vector<bool> existed;
    for (const Item& item : items_) {
      std::string before;
      auto found = commit.get(item.key, before);
      if (!found) {
        status_ = found.error();
        return;
      }
      existed.push_back(*found);
      if (*found || !item.image) continue;
      status_ = commit.may_grow();
      if (!status_) return;
    }
    for (size_t i = 0; i < items_.size(); ++i) {
      if (items_[i].image) {
        commit.put(items_[i].key, *items_[i].image, existed[i], std::nullopt);
      } else if (existed[i]) {
        commit.remove(items_[i].key, std::nullopt);
      }
    }
  }

  void done(const Status& status) override {
    std::lock_guard lock(outcome_->mutex);
    outcome_->status = status ? status_ : status;
  }

 private:
  const std::vector<Item> items_;
  const std::shared_ptr<Outcome> outcome_;
  Status status_;
};

Subscriptions::Subscriptions(Node& node, Random random, GroupLimits limits)
    : node_(node), random_(random), limits_(limits) {}

Subscriptions::~Subscriptions() = default;

Status Subscriptions::open() {
  std::string begin;
  append_generation_prefix(kSubscriptionGeneration, begin);
  std::string end = prefix_successor(begin);
  ViewPtr view = node_.engine.view();
  auto range = view->range(begin, end, false);
  for (; range->valid(); range->next()) {
    ASSIGN_OR_RETURN(SubscriptionDefinition definition,
                     decode_definition(ItemView(range->image())));
    std::string name = definition.name;
    ASSIGN_OR_RETURN(std::shared_ptr<ConsumerGroup> group, open_group(std::move(definition)));
    std::lock_guard lock(mutex_);
    groups_[std::move(name)] = std::move(group);
  }
  return range->status();
}

Result<std::shared_ptr<ConsumerGroup>> Subscriptions::open_group(
    SubscriptionDefinition definition) {
  ASSIGN_OR_RETURN(std::shared_ptr<ConsumerGroup> group,
                   ConsumerGroup::open(node_, std::move(definition), limits_, random_.next()));
  return group;
}

std::shared_ptr<ConsumerGroup> Subscriptions::find(std::string_view name) const {
  std::lock_guard lock(mutex_);
  auto found = groups_.find(name);
  return found == groups_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<ConsumerGroup>> Subscriptions::all() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ConsumerGroup>> groups;
  for (const auto& [name, group] : groups_) groups.push_back(group);
  return groups;
}

std::vector<ReaderNeeds> Subscriptions::needs() const {
  std::lock_guard lock(mutex_);
  std::vector<ReaderNeeds> needs;
  for (const auto& [name, group] : groups_) needs.push_back(group->needs());
  for (const Change& change : changes_) needs.push_back(change.needs);
  return needs;
}

/// The first LSN that a reader gets, never before what the log holds: a gap that is there from the
/// beginning is none.
Result<Lsn> Subscriptions::first_lsn(const StartAt& start,
                                     const SubscriptionDefinition& definition) const {
  Log& log = node_.engine.log();
  const TableFilter tables{{definition.tables.begin(), definition.tables.end()}};
  ASSIGN_OR_RETURN(const Lsn lsn, start.resolve(log, node_.catalog, tables));
  if (lsn > log.durable_lsn() + 1)
    return validation_error("there is no LSN " + std::to_string(lsn) + " yet");
  return std::max<Lsn>({lsn, first_whole_lsn(log, node_.catalog, tables), 1});
}

Status Subscriptions::may_change(std::string_view name) const {
  for (const Change& change : changes_) {
    if (change.definition.name == name) {
      return make_error(ErrorCode::kResourceInUse,
                        "another change of subscription '" + std::string(name) + "' is under way");
    }
  }
  return {};
}

void Subscriptions::create(SubscriptionDefinition definition, const StartAt& start, Done done) {
  if (Status sound = check_definition(definition); !sound) return done(sound);
  for (Change& change : changes_) {
    if (change.removes || !change.definition.same_as(definition)) continue;
    change.done = [first = std::move(change.done), done = std::move(done)](const Status& status) {
      first(status);
      done(status);
    };
    return;
  }
  if (Status free = may_change(definition.name); !free) return done(free);
  size_t subscriptions = changes_.size(), shards = definition.shards;
  for (const Change& change : changes_) shards += change.definition.shards;
  for (const auto& group : all()) {
    const SubscriptionDefinition& other = group->definition();
    if (other.same_as(definition)) return done({});
    if (other.name == definition.name) {
      return done(
          make_error(ErrorCode::kResourceInUse,
                     "there is a subscription '" + definition.name +
                         "' with other tables, filter or number of shards; delete it first, "
                         "or take another name"));
    }
    ++subscriptions;
    shards += other.shards;
  }
  if (subscriptions >= kSubscriptionsMax || shards > kShardsMax) {
    return done(make_error(ErrorCode::kLimitExceeded,
                           "a node has at most " + std::to_string(kSubscriptionsMax) +
                               " subscriptions with " + std::to_string(kShardsMax) +
                               " shards together"));
  }
  auto from = first_lsn(start, definition);
  if (!from) return done(from.error());
  definition.created_ms = node_.clock.wall_ms();
  std::vector<WriteItems::Item> items = {
      {subscription_key(definition.name), encode_definition(definition)}};
  for (uint32_t i = 0; i < definition.shards; ++i) {
    std::string name = shard_checkpoint_name(definition.name, i);
    items.push_back({checkpoint_key(name), checkpoint_item(name, *from - 1)});
  }
  const TableFilter tables{{definition.tables.begin(), definition.tables.end()}};
  Change change{std::move(definition), {*from, tables}, false, false, std::move(done), nullptr};
  change.command = std::make_unique<WriteItems>(std::move(items), change.outcome);
  begin(std::move(change));
}

void Subscriptions::remove(std::string_view name, Done done) {
  if (Status free = may_change(name); !free) return done(free);
  auto group = find(name);
  if (group == nullptr) return done(no_subscription(name));
  if (group->member_count() > 0) {
    return done(make_error(ErrorCode::kResourceInUse, "subscription '" + std::string(name) +
                                                          "' has members; stop them first"));
  }
  std::vector<WriteItems::Item> items = {{subscription_key(name), std::nullopt}};
  for (uint32_t i = 0; i < group->definition().shards; ++i)
    items.push_back({checkpoint_key(shard_checkpoint_name(name, i)), std::nullopt});
  Change change{group->definition(), group->needs(), true, true, std::move(done), nullptr};
  change.command = std::make_unique<WriteItems>(std::move(items), change.outcome);
  begin(std::move(change));
}

void Subscriptions::reset(std::string_view name, const StartAt& start, Done done) {
  if (Status free = may_change(name); !free) return done(free);
  auto group = find(name);
  if (group == nullptr) return done(no_subscription(name));
  if (group->member_count() > 0) {
    return done(make_error(ErrorCode::kResourceInUse, "subscription '" + std::string(name) +
                                                          "' has members; stop them first"));
  }
  auto from = first_lsn(start, group->definition());
  if (!from) return done(from.error());
  std::vector<WriteItems::Item> items;
  for (uint32_t i = 0; i < group->definition().shards; ++i) {
    std::string checkpoint = shard_checkpoint_name(name, i);
    items.push_back({checkpoint_key(checkpoint), checkpoint_item(checkpoint, *from - 1)});
  }
  ReaderNeeds needs = group->needs();
  needs.from = std::min(needs.from, *from);
  Change change{group->definition(), std::move(needs), true, false, std::move(done), nullptr};
  change.command = std::make_unique<WriteItems>(std::move(items), change.outcome);
  begin(std::move(change));
}

/// The group is closed meanwhile, so that no checkpoint of it is written behind the change. Those
/// on their way are written before it.
void Subscriptions::begin(Change change) {
  std::unique_ptr<Command> command = std::move(change.command);
  {
    std::lock_guard lock(mutex_);
    groups_.erase(change.definition.name);
    changes_.push_back(std::move(change));
  }
  node_.submit(std::move(command));
}

void Subscriptions::step() {
  for (auto change = changes_.begin(); change != changes_.end();) {
    Status status;
    {
      std::lock_guard lock(change->outcome->mutex);
      if (!change->outcome->status) {
        ++change;
        continue;
      }
      status = *change->outcome->status;
    }
    // What could not be changed goes on as it was.
    std::shared_ptr<ConsumerGroup> group;
    if (status ? !change->removes : change->is_there) {
      auto opened = open_group(change->definition);
      if (opened) {
        group = std::move(opened).value();
      } else if (status) {
        status = opened.error();
      }
    }
    Done done = std::move(change->done);
    {
      std::lock_guard lock(mutex_);
      if (group) groups_[change->definition.name] = std::move(group);
      change = changes_.erase(change);
    }
    done(status);
  }
  for (const auto& group : all()) group->tick();
}

}  // namespace millrace::streams
