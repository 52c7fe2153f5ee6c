// New descriptors, non-blocking and close-on-exec from the start. Linux, FreeBSD, NetBSD and OpenBSD say so in the call that
// makes them; macOS can only be told afterwards, so that another thread's fork and exec in between may inherit them.
#pragma once

#include <sys/socket.h>

namespace fdevent::sys {

// For send(2): neither blocks nor raises SIGPIPE. macOS has no flag for the latter: sockets made here have SO_NOSIGPIPE
// instead, and Node ignores the signal in any case.
#ifdef MSG_NOSIGNAL
inline constexpr int kSilently = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
inline constexpr int kSilently = MSG_DONTWAIT;
#endif

// Each fills in two descriptors, and returns 0 or a negated errno.
int make_pipe(int ends[2]);
int make_socketpair(int ends[2]);
// A stream accepted from a listener, or a negated errno.
int accept_stream(int listener);

}  // namespace fdevent::sys
