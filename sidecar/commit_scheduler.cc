#include "sidecar/commit_scheduler.h"

#include <utility>

namespace millrace::sidecar {
namespace {

// A look costs a microsecond, a flush some hundred and, on the processor, as much as several
// commands; clients who were answered by the last one need some time to send again.
constexpr int kLooks = 3;

}  // namespace

CommitScheduler::CommitScheduler(Engine& engine, IoThreads& threads,
                                 std::function<void(const Error&)> on_refusal)
    : engine_(engine), threads_(threads), on_refusal_(std::move(on_refusal)) {}

void CommitScheduler::submit(std::unique_ptr<Command> command) {
  Status status = engine_.submit(std::move(command));
  if (!status) {
    on_refusal_(status.error());
    command->done(status);  // a refused command was left with us
    return;
  }
  schedule();
}

void CommitScheduler::schedule() {
  if (scheduled_.exchange(true)) return;
  step_after(kLooks);
}

void CommitScheduler::schedule_in(int64_t delay_ns) {
  if (scheduled_later_.exchange(true)) return;
  threads_.post_in(0, delay_ns, [this] {
    scheduled_later_ = false;
    schedule();
  });
}

// What is posted runs behind one look for what has arrived.
void CommitScheduler::step_after(int looks) {
  threads_.post_here([this, looks] { looks > 0 ? step_after(looks - 1) : step(); });
}

void CommitScheduler::step() {
  // Before the step: whoever queues from now on arranges a step of its own.
  scheduled_ = false;
  if (engine_.step()) schedule();
}

}  // namespace millrace::sidecar
