#include "sys/probe.h"

#include <poll.h>

#include <vector>

#include "sys/call.h"

namespace fdevent::sys {
namespace {

// Drivers differ in which of the IN and OUT aliases they raise; select(2) accepts any of them.
constexpr short kPollIn = POLLIN | POLLRDNORM | POLLRDBAND;
constexpr short kPollOut = POLLOUT | POLLWRNORM | POLLWRBAND;

short to_poll(Interest interest) {
  short events = 0;
  if (interest & kReadable) {
    events |= kPollIn;
  }
  if (interest & kWritable) {
    events |= kPollOut;
  }
  if (interest & kPriority) {
    events |= POLLPRI;
  }
  return events;
}

Readiness from_poll(short revents) {
  Readiness ready = 0;
  if (revents & kPollIn) {
    ready |= kReadable;
  }
  if (revents & kPollOut) {
    ready |= kWritable;
  }
  if (revents & POLLPRI) {
    ready |= kPriority;
  }
  if (revents & POLLHUP) {
    ready |= kHangup;
  }
  if (revents & POLLERR) {
    ready |= kError;
  }
  return ready;
}

}  // namespace

int probe(Probe* probes, size_t count, size_t* culprit) {
  std::vector<pollfd> polled(count);
  for (size_t i = 0; i < count; ++i) {
    polled[i] = {probes[i].fd, to_poll(probes[i].interest), 0};
  }
  // poll(2) refuses more entries than RLIMIT_NOFILE, which a program may lower below the numbers it
  // has open; halving the piece until it is accepted costs nothing in the ordinary case.
  size_t piece = count;
  for (size_t done = 0; done < count;) {
    const size_t size = piece < count - done ? piece : count - done;
    const int result = retry([&] { return ::poll(polled.data() + done, size, 0); });
    if (result == -EINVAL && size > 1) {
      piece = size / 2;
      continue;
    }
    if (result < 0) {
      *culprit = done;
      return result;
    }
    done += size;
  }
  for (size_t i = 0; i < count; ++i) {
    if (polled[i].revents & POLLNVAL) {
      *culprit = i;
      return -EBADF;
    }
    probes[i].ready = from_poll(polled[i].revents);
  }
  return 0;
}

int probe(int fd, Interest interest) {
  pollfd polled{fd, to_poll(interest), 0};
  const int result = retry([&] { return ::poll(&polled, 1, 0); });
  if (result < 0) {
    return result;
  }
  return polled.revents & POLLNVAL ? -EBADF : static_cast<int>(from_poll(polled.revents));
}

}  // namespace fdevent::sys
