#include "sys/readiness.h"

#include <doctest/doctest.h>

#include <initializer_list>

namespace fdevent {
namespace {

constexpr Interest kSelectable = kReadable | kWritable | kPriority;

// select(2): "readable: POLLIN | POLLHUP | POLLERR; writable: POLLOUT | POLLERR; exceptional:
// POLLPRI"
TEST_CASE("for every state and interest the answer is what select(2) documents") {
  for (Readiness ready = 0; ready < 32; ++ready) {
    for (Interest interest = 0; interest <= kSelectable; ++interest) {
      CAPTURE(ready);
      CAPTURE(interest);
      const bool in = ready & 1;
      const bool out = ready & 2;
      const bool priority = ready & 4;
      const bool hangup = ready & 8;
      const bool error = ready & 16;
      const Interest answer = selected(ready, interest);
      CHECK(((answer & kReadable) != 0) == ((interest & 1) && (in || hangup || error)));
      CHECK(((answer & kWritable) != 0) == ((interest & 2) && (out || error)));
      CHECK(((answer & kPriority) != 0) == ((interest & 4) && priority));
      CHECK((answer & ~kSelectable) == 0);
    }
  }
}

TEST_CASE("who names neither hangup nor error is told what select(2) would say") {
  for (Readiness ready = 0; ready < 64; ++ready) {
    for (Interest interest = 0; interest <= kSelectable; ++interest) {
      CHECK(answer(ready, interest) == selected(ready, interest));
    }
  }
}

TEST_CASE("who names hangup or error is told exactly the bits asked for that hold") {
  for (Readiness ready = 0; ready < 64; ++ready) {
    for (Interest interest = 0; interest <= kSelectable; ++interest) {
      for (const Interest named : {kHangup, kError, kHangup | kError}) {
        CHECK(answer(ready, interest | named) == (ready & (interest | named)));
      }
    }
  }
}

TEST_CASE("the bits are the numbers that the package exports") {
  CHECK(kReadable == 1);
  CHECK(kWritable == 2);
  CHECK(kPriority == 4);
  CHECK(kHangup == 8);
  CHECK(kError == 16);
}

}  // namespace
}  // namespace fdevent
