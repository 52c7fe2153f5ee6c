#ifdef __APPLE__
#define _DARWIN_UNLIMITED_SELECT 1  // sets larger than FD_SETSIZE
#endif
#include "sys/probe.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>

#include <utility>
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

#ifdef __APPLE__
// macOS's poll(2) calls terminals and other devices invalid. Its select(2) does not, and has no limit when told so.
int probe_device(int fd, Interest interest) {
  const int open = call([fd] { return ::fcntl(fd, F_GETFD); });
  if (open < 0) {
    return open;
  }
  const size_t number = static_cast<size_t>(fd);
  std::vector<fd_set> sets[3];
  for (std::vector<fd_set>& set : sets) {
    set.resize(number / FD_SETSIZE + 1);
  }
  for (const auto& [bit, index] : {std::pair{kReadable, 0}, {kWritable, 1}, {kPriority, 2}}) {
    if (interest & bit) {
      sets[index][number / FD_SETSIZE].fds_bits[number % FD_SETSIZE / NFDBITS] |=
          static_cast<int32_t>(uint32_t{1} << (number % NFDBITS));
    }
  }
  const int found = retry([&] {
    timeval zero{};
    return ::select(fd + 1, sets[0].data(), sets[1].data(), sets[2].data(), &zero);
  });
  if (found < 0) {
    return found;
  }
  Readiness ready = 0;
  for (const auto& [bit, index] : {std::pair{kReadable, 0}, {kWritable, 1}, {kPriority, 2}}) {
    const int32_t word = sets[index][number / FD_SETSIZE].fds_bits[number % FD_SETSIZE / NFDBITS];
    ready |= (static_cast<uint32_t>(word) >> (number % NFDBITS)) & 1 ? bit : 0;
  }
  return static_cast<int>(ready);
}
#else
int probe_device(int, Interest) {
  return -EBADF;
}
#endif

int result_of(const pollfd& polled, Interest interest) {
  return polled.revents & POLLNVAL ? probe_device(polled.fd, interest)
                                   : static_cast<int>(from_poll(polled.revents));
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
    const int ready = result_of(polled[i], probes[i].interest);
    if (ready < 0) {
      *culprit = i;
      return ready;
    }
    probes[i].ready = static_cast<Readiness>(ready);
  }
  return 0;
}

int probe(int fd, Interest interest) {
  pollfd polled{fd, to_poll(interest), 0};
  const int result = retry([&] { return ::poll(&polled, 1, 0); });
  if (result < 0) {
    return result;
  }
  return result_of(polled, interest);
}

}  // namespace fdevent::sys
