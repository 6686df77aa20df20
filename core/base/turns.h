#pragma once

namespace millrace {

/// Threads that work behind the answers to clients, as compactions do. The kernel lets whoever runs
/// on a core finish a slice of some milliseconds, however little its share is, before a thread that
/// was woken meanwhile; so these threads say that theirs may be cut short, and take turns of their
/// own for kernels that do not know of that.

/// Makes the calling thread one of them: from now on it has a small share of a core.
void work_in_turns();

/// Between two pieces of work: lets others have the core if this thread has worked for a turn, a
/// tenth of a millisecond. Does nothing in other threads, so that code may be shared with them.
void end_turn();

}  // namespace millrace
