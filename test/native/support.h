// Descriptors that tests wait on.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "backend/selected.h"
#include "sys/readiness.h"
#include "sys/unique_fd.h"

namespace fdevent::test {

using sys::UniqueFd;

inline constexpr bool kEpoll = std::string_view(backend::Backend::kName) == "epoll";
#ifdef __linux__
inline constexpr bool kLibkqueue = !kEpoll;
#else
inline constexpr bool kLibkqueue = false;
#endif
// For a test of what only epoll does, and of what libkqueue cannot do where a kqueue can. The run counts it as skipped.
inline doctest::skip epoll_only() {
  return doctest::skip(!kEpoll);
}
inline doctest::skip not_libkqueue() {
  return doctest::skip(kLibkqueue);
}

// All that select(2) can be asked for.
inline constexpr Interest kSelectable = kReadable | kWritable | kPriority;

// Above every number the tests get from the kernel, so that nothing takes one of these by chance.
inline constexpr int kFirstChosenFd = 900;

struct Pair {
  UniqueFd first;
  UniqueFd second;
};

// first: read end, second: write end
inline Pair make_pipe() {
  int fds[2];
  REQUIRE(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

inline Pair make_sockets() {
  int fds[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

inline UniqueFd make_tcp_socket() {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(fd);
  return fd;
}

// Connects the socket, and returns its peer.
inline UniqueFd connect_tcp(const UniqueFd& client) {
  const UniqueFd listener = make_tcp_socket();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(bind(listener.get(), generic, length) == 0);
  REQUIRE(listen(listener.get(), 1) == 0);
  REQUIRE(getsockname(listener.get(), generic, &length) == 0);
  REQUIRE(connect(client.get(), generic, length) == 0);
  UniqueFd peer(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(peer);
  return peer;
}

inline Pair make_tcp() {
  Pair pair;
  pair.first = make_tcp_socket();
  pair.second = connect_tcp(pair.first);
  return pair;
}

inline void send_out_of_band(const UniqueFd& fd) {
  REQUIRE(send(fd.get(), "!", 1, MSG_OOB) == 1);
}

inline UniqueFd make_eventfd(unsigned count) {
  UniqueFd fd(eventfd(count, EFD_CLOEXEC | EFD_NONBLOCK));
  REQUIRE(fd);
  return fd;
}

inline UniqueFd make_file() {
  char name[] = "/tmp/fdevent-test-XXXXXX";
  UniqueFd fd(mkostemp(name, O_CLOEXEC));
  REQUIRE(fd);
  unlink(name);
  return fd;
}

// A number that no open file has.
inline int closed_number() {
  const int fd = make_eventfd(0).get();
  REQUIRE(fcntl(fd, F_GETFD) == -1);
  return fd;
}

inline UniqueFd duplicate(const UniqueFd& fd) {
  UniqueFd copy(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  REQUIRE(copy);
  return copy;
}

// Makes `number` another name of the open file, whatever it was before.
inline void put(const UniqueFd& fd, int number) {
  REQUIRE(dup3(fd.get(), number, O_CLOEXEC) == number);
}

inline void write_byte(const UniqueFd& fd) {
  REQUIRE(write(fd.get(), "x", 1) == 1);
}

inline void drain(int fd) {
  std::array<char, 4096> buffer;
  while (read(fd, buffer.data(), buffer.size()) > 0) {
  }
}

inline void fill(int fd) {
  const std::array<char, 4096> buffer{};
  while (write(fd, buffer.data(), buffer.size()) > 0) {
  }
}

// What the kernel holds for this epoll instance. A call that changes a registration changes this,
// because each call gives it a new tag.
inline std::string registrations(int epoll) {
  std::ifstream file("/proc/self/fdinfo/" + std::to_string(epoll));
  return {std::istreambuf_iterator<char>(file), {}};
}

inline bool pollable_now(int fd, int milliseconds = 0, short events = POLLIN) {
  pollfd polled{fd, events, 0};
  return poll(&polled, 1, milliseconds) == 1;
}

}  // namespace fdevent::test
