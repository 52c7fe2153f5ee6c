#include "sys/process_fd.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "sys/call.h"

namespace fdevent::sys {

// Linux 5.3 has the call, libraries have its wrapper since glibc 2.36; the number is the same everywhere.
int open_process(int pid) {
#ifdef SYS_pidfd_open
  return call([pid] { return syscall(SYS_pidfd_open, pid, 0); });
#else
  return call([pid] { return syscall(434, pid, 0); });
#endif
}

}  // namespace fdevent::sys
