#include "sys/descriptors.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/call.h"

namespace fdevent::sys {

#ifdef __APPLE__

namespace {

int prepare(int fd) {
  const int closing = call([fd] { return ::fcntl(fd, F_SETFD, FD_CLOEXEC); });
  const int flags = closing < 0 ? closing : call([fd] { return ::fcntl(fd, F_GETFL); });
  return flags < 0 ? flags : call([&] { return ::fcntl(fd, F_SETFL, flags | O_NONBLOCK); });
}

// MSG_NOSIGNAL is a property of the socket here.
int silence(int fd) {
  const int on = 1;
  return call([&] { return ::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on); });
}

int prepare_both(const int ends[2]) {
  const int first = prepare(ends[0]);
  const int both = first < 0 ? first : prepare(ends[1]);
  if (both < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  return both < 0 ? both : 0;
}

}  // namespace

int make_pipe(int ends[2]) {
  const int made = call([ends] { return ::pipe(ends); });
  return made < 0 ? made : prepare_both(ends);
}

int make_socketpair(int ends[2]) {
  const int made = call([ends] { return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends); });
  if (made < 0) {
    return made;
  }
  static_cast<void>(silence(ends[0]));
  static_cast<void>(silence(ends[1]));
  return prepare_both(ends);
}

int accept_stream(int listener) {
  const int fd = retry([listener] { return ::accept(listener, nullptr, nullptr); });
  if (fd < 0) {
    return fd;
  }
  // Fails on a connection that was reset meanwhile, whose sender gets EPIPE or ECONNRESET and no signal either way.
  static_cast<void>(silence(fd));
  const int prepared = prepare(fd);
  if (prepared < 0) {
    ::close(fd);
    return prepared;
  }
  return fd;
}

#else

int make_pipe(int ends[2]) {
  return call([ends] { return ::pipe2(ends, O_NONBLOCK | O_CLOEXEC); });
}

int make_socketpair(int ends[2]) {
  return call([ends] {
    return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
  });
}

int accept_stream(int listener) {
  return retry(
      [listener] { return ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
}

#endif

}  // namespace fdevent::sys
