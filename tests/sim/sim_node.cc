#include "tests/sim/sim_node.h"

#include "streams/streams_operations.h"

namespace millrace::sim {

Result<std::unique_ptr<SimNode>> SimNode::boot(const NodeOptions& options, SimDisk& disk,
                                               ManualClock& clock, Random& random,
                                               History& answers) {
  std::unique_ptr<SimNode> node(new SimNode(disk, clock, random, answers));
  ASSIGN_OR_RETURN(node->engine_, Engine::open(options.engine, disk, &node->env_, clock));
  node->engine_->set_flusher(&node->flusher_);
  node->drain();
  RETURN_IF_ERROR(node->catalog_.load(*node->engine_->view()));
  node->engine_->add_observer(&node->catalog_);
  if (options.cache_bytes > 0) {
    node->item_cache_ = std::make_unique<cache::ItemCache>(
        cache::ItemCacheOptions{.bytes_max = options.cache_bytes,
                                .policy = {.stale_if_error_s = options.stale_if_error_s}},
        clock);
    node->query_cache_ = std::make_unique<cache::QueryCache>(
        cache::QueryCacheOptions{.bytes_max = options.cache_bytes}, clock);
    node->slow_fills_ =
        std::make_unique<SlowFills>(*node->item_cache_, *node->query_cache_, random);
    node->warm_restart_ = std::make_unique<cache::WarmRestart>(
        *node->item_cache_, *node->engine_, disk, clock,
        cache::WarmRestartOptions{.path = options.engine.folder + "/hot-set",
                                  .save_interval_ms = 1000,
                                  .is_table = [&catalog = node->catalog_](Generation generation) {
                                    return catalog.find(generation) != nullptr;
                                  }});
    if (options.item_cache_observes) {
      node->engine_->add_observer(node->item_cache_.get());
      node->engine_->set_known_items(node->item_cache_.get());
    }
    if (options.query_cache_observes) node->engine_->add_observer(node->query_cache_.get());
  }
  node->rewriter_ = std::make_unique<LogRewriter>(node->engine_->log());
  ASSIGN_OR_RETURN(node->index_, streams::ShardIndex::open(disk, options.engine.folder + "/shards",
                                                           node->engine_->log(), node->catalog_));
  node->streams_ = std::make_unique<streams::Streams>(node->engine_->log(), node->catalog_,
                                                      *node->index_, clock, std::string(32, 'k'));
  SimNode* self = node.get();
  node->node_.reset(new Node{*node->engine_, node->catalog_, clock,
                             [self](std::unique_ptr<Command> command) {
                               Status status = self->engine_->submit(std::move(command));
                               if (!status) command->done(status);
                             },
                             node->slow_fills_.get(), node->slow_fills_.get()});
  node->lineage_ =
      std::make_unique<streams::LineageControl>(*node->node_, *node->streams_, *node->index_);
  node->long_work_ = std::make_unique<LongWork>(*node->node_, [] {});
  node->engine_->add_observer(node->long_work_.get());
  add_dynamodb_operations(node->operations_);
  streams::add_streams_operations(node->operations_, *node->streams_);
  return node;
}

void SimNode::request(const std::string& operation, const std::string& body,
                      std::function<void(const Answer&)> answered) {
  const Operation* row = operations_.find("DynamoDB_20120810." + operation);
  if (row == nullptr) row = operations_.find("DynamoDBStreams_20120810." + operation);
  CHECK(row != nullptr);
  std::string padded = body + std::string(HttpRequest::kBodyPadding, ' ');
  Reply reply([&answers = answers_, answered = std::move(answered)](
                  int status, std::string_view headers, std::string_view answer) {
    answers.add(static_cast<uint64_t>(status));
    answers.add(headers);
    answers.add(answer);
    answered({status, std::string(headers), std::string(answer)});
  });
  row->run(*node_, Request{std::string_view(padded).substr(0, body.size())}, std::move(reply));
}

std::optional<SimNode::Answer> SimNode::call(const std::string& operation,
                                             const std::string& body) {
  std::optional<Answer> answer;
  request(operation, body, [&answer](const Answer& got) { answer = got; });
  // Bounded: when the memory tables are full, maintenance makes room.
  for (int i = 0; i < 1000 && !answer; ++i) {
    step();
    if (!answer && !maintain()) return std::nullopt;
  }
  CHECK(answer.has_value());
  return answer;
}

void SimNode::step() {
  flusher_.step();
  engine_->step();
  if (warm_restart_ != nullptr) static_cast<void>(warm_restart_->step());
  drain();
}

void SimNode::commit_all() {
  do {
    flusher_.end();
    drain();
  } while (engine_->step() || flusher_.under_way());
}

Status SimNode::maintain() {
  Result<bool> more = engine_->maintain();
  drain();
  if (!more) return more.error();
  return {};
}

}  // namespace millrace::sim
