#include "sys/probe.h"

#include <sys/resource.h>
#include <sys/select.h>

#include <string>
#include <vector>

#include "support.h"

namespace fdevent::sys {
namespace {

using test::Pair;
using test::UniqueFd;

// What select(2) itself says of one descriptor below FD_SETSIZE.
int ask_select(int fd, Interest interest) {
  REQUIRE(fd < FD_SETSIZE);
  fd_set in;
  fd_set out;
  fd_set exceptional;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_ZERO(&exceptional);
  if (interest & kReadable) {
    FD_SET(fd, &in);
  }
  if (interest & kWritable) {
    FD_SET(fd, &out);
  }
  if (interest & kPriority) {
    FD_SET(fd, &exceptional);
  }
  timeval zero{0, 0};
  if (::select(fd + 1, &in, &out, &exceptional, &zero) < 0) {
    return -errno;
  }
  return (FD_ISSET(fd, &in) ? 1 : 0) | (FD_ISSET(fd, &out) ? 2 : 0) |
         (FD_ISSET(fd, &exceptional) ? 4 : 0);
}

void check_agrees(const UniqueFd& fd, const std::string& what) {
  for (Interest interest = 1; interest <= test::kSelectable; ++interest) {
    CAPTURE(what);
    CAPTURE(interest);
    const int ready = probe(fd.get(), interest);
    REQUIRE(ready >= 0);
    CHECK(static_cast<int>(selected(static_cast<Readiness>(ready), interest)) ==
          ask_select(fd.get(), interest));
    Probe one{fd.get(), interest, 0xff};
    size_t culprit = 0;
    CHECK(probe(&one, 1, &culprit) == 0);
    CHECK(one.ready == static_cast<Readiness>(ready));
  }
}

TEST_CASE("a probe agrees with select(2) on pipes") {
  Pair pipe = test::make_pipe();
  check_agrees(pipe.first, "empty pipe, read end");
  check_agrees(pipe.second, "empty pipe, write end");
  test::write_byte(pipe.second);
  check_agrees(pipe.first, "pipe with data, read end");
  test::fill(pipe.second.get());
  check_agrees(pipe.second, "full pipe, write end");
  pipe.second.reset();
  check_agrees(pipe.first, "pipe with data, writer closed");
  test::drain(pipe.first.get());
  check_agrees(pipe.first, "empty pipe, writer closed");
  CHECK(probe(pipe.first.get(), kWritable) == static_cast<int>(kHangup));

  pipe = test::make_pipe();
  pipe.first.reset();
  check_agrees(pipe.second, "empty pipe, reader closed");
  CHECK((probe(pipe.second.get(), kPriority) & static_cast<int>(kError)) != 0);
}

TEST_CASE("a probe agrees with select(2) on sockets") {
  Pair unix_pair = test::make_sockets();
  check_agrees(unix_pair.first, "idle Unix socket");
  test::write_byte(unix_pair.second);
  check_agrees(unix_pair.first, "Unix socket with data");
  test::fill(unix_pair.first.get());
  check_agrees(unix_pair.first, "Unix socket, full");
  shutdown(unix_pair.second.get(), SHUT_WR);
  check_agrees(unix_pair.first, "Unix socket, half closed");
  unix_pair.second.reset();
  check_agrees(unix_pair.first, "Unix socket, closed by its peer");

  Pair tcp = test::make_tcp();
  check_agrees(tcp.first, "idle TCP socket");
  test::send_out_of_band(tcp.second);
  REQUIRE(test::pollable_now(tcp.first.get(), 10'000, POLLPRI));
  check_agrees(tcp.first, "TCP socket with out-of-band data");
  const linger abort_on_close{1, 0};
  REQUIRE(setsockopt(tcp.second.get(), SOL_SOCKET, SO_LINGER, &abort_on_close,
                     sizeof abort_on_close) == 0);
  tcp.second.reset();
  check_agrees(tcp.first, "TCP socket, reset");

  const UniqueFd fresh(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  check_agrees(fresh, "unconnected TCP socket");
}

TEST_CASE("a probe agrees with select(2) on files, devices and kernel objects") {
  check_agrees(test::make_file(), "regular file");
  check_agrees(UniqueFd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), "directory");
  check_agrees(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)), "/dev/null");
  check_agrees(UniqueFd(::open("/dev/zero", O_RDWR | O_CLOEXEC)), "/dev/zero");
  check_agrees(test::make_eventfd(0), "eventfd at 0");
  check_agrees(test::make_eventfd(1), "eventfd at 1");
}

TEST_CASE("a number that is not open is EBADF") {
  CHECK(probe(test::closed_number(), kReadable) == -EBADF);
}

TEST_CASE("the culprit is the index of a descriptor that is not open") {
  const UniqueFd open = test::make_eventfd(1);
  const int closed = test::closed_number();
  for (size_t bad = 0; bad < 5; ++bad) {
    std::vector<Probe> probes(5, Probe{open.get(), kReadable, 0});
    probes[bad].fd = closed;
    size_t culprit = 99;
    CHECK(probe(probes.data(), probes.size(), &culprit) == -EBADF);
    CHECK(culprit == bad);
  }
}

TEST_CASE("no descriptors are no error") {
  size_t culprit = 0;
  CHECK(probe(nullptr, 0, &culprit) == 0);
}

TEST_CASE("many descriptors are probed at once, above FD_SETSIZE too") {
  rlimit limit;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const rlimit before = limit;
  limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  std::vector<UniqueFd> fds;
  std::vector<Probe> probes;
  for (rlim_t i = 0; i + 100 < limit.rlim_cur; ++i) {
    fds.push_back(test::make_eventfd(i % 3 == 0));
    probes.push_back({fds.back().get(), kReadable, 0});
  }
  size_t culprit = 0;
  REQUIRE(probe(probes.data(), probes.size(), &culprit) == 0);
  size_t wrong = 0;
  for (size_t i = 0; i < probes.size(); ++i) {
    wrong += probes[i].ready != (i % 3 == 0 ? kReadable : 0);
  }
  CHECK(wrong == 0);

  SUBCASE("and in pieces where RLIMIT_NOFILE is below their count") {
    rlimit low = limit;
    low.rlim_cur = 100;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
    for (Probe& each : probes) {
      each.ready = 0;
    }
    const int result = probe(probes.data(), probes.size(), &culprit);
    Probe last = probes.back();
    last.fd = 100'000;
    probes.push_back(last);
    const int bad = probe(probes.data(), probes.size(), &culprit);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(result == 0);
    for (size_t i = 0; i + 1 < probes.size(); ++i) {
      wrong += probes[i].ready != (i % 3 == 0 ? kReadable : 0);
    }
    CHECK(wrong == 0);
    CHECK(bad == -EBADF);
    CHECK(culprit == probes.size() - 1);
  }
  fds.clear();
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

}  // namespace
}  // namespace fdevent::sys
