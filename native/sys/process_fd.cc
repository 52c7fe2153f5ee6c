#include "sys/process_fd.h"

#ifdef __linux__
#include <sys/syscall.h>
#else
#include <fcntl.h>
#include <sys/event.h>

#include "sys/unique_fd.h"
#endif
#include <unistd.h>

#include "sys/call.h"

namespace fdevent::sys {

#ifdef __linux__

// Linux 5.3 has the call, libraries have its wrapper since glibc 2.36; the number is the same everywhere.
int open_process(int pid) {
#ifdef SYS_pidfd_open
  return call([pid] { return syscall(SYS_pidfd_open, pid, 0); });
#else
  return call([pid] { return syscall(434, pid, 0); });
#endif
}

#else

// A queue of one knote, whose event nobody fetches: it stays ready from the end of the process on.
int open_process(int pid) {
  const int opened = call([] { return ::kqueue(); });
  if (opened < 0) {
    return opened;
  }
  UniqueFd queue(opened);
  struct kevent change {};
  change.ident = static_cast<uintptr_t>(pid);
  change.filter = EVFILT_PROC;
  change.flags = EV_ADD;
  change.fflags = NOTE_EXIT;
  const int closing = call([&] { return ::fcntl(queue.get(), F_SETFD, FD_CLOEXEC); });
  const int added =
      closing < 0 ? closing
                  : call([&] { return ::kevent(queue.get(), &change, 1, nullptr, 0, nullptr); });
  return added < 0 ? added : queue.release();
}

#endif

}  // namespace fdevent::sys
