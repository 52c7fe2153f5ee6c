// The present state of descriptors, from poll(2) with timeout 0. It agrees with select(2) on every
// kind of descriptor, without FD_SETSIZE, so it answers timeout 0 and is asked again at every
// deadline.
#pragma once

#include <cstddef>

#include "sys/readiness.h"

namespace fdevent::sys {

struct Probe {
  int fd;
  Interest interest;
  Readiness ready;  // out
};

// Fills `ready` of every probe. Returns 0, or a negated errno: EBADF where one descriptor is not open;
// `*culprit` is then its index.
int probe(Probe* probes, size_t count, size_t* culprit);

// One descriptor: its readiness, or a negated errno.
int probe(int fd, Interest interest);

}  // namespace fdevent::sys
