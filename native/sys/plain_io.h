// read(2) and its kin as plain calls of the kernel.
//
// libc's own are cancellation points: in a process with more than one thread, which Node's always is, each of them enters
// and leaves a region where pthread_cancel() may strike, by two atomic operations on the thread's descriptor. Measured on
// glibc 2.36, that is a fifth of the time of reading one byte. Nobody cancels Node's threads.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

namespace fdevent::sys {

#if defined(__linux__) && defined(SYS_recvfrom) && defined(SYS_sendto)

inline ssize_t read(int fd, void* to, size_t length) {
  return ::syscall(SYS_read, fd, to, length);
}
inline ssize_t write(int fd, const void* from, size_t length) {
  return ::syscall(SYS_write, fd, from, length);
}
inline ssize_t recv(int fd, void* to, size_t length, int flags) {
  return ::syscall(SYS_recvfrom, fd, to, length, flags, nullptr, nullptr);
}
inline ssize_t send(int fd, const void* from, size_t length, int flags) {
  return ::syscall(SYS_sendto, fd, from, length, flags, nullptr, 0);
}

#else

using ::read;
using ::recv;
using ::send;
using ::write;

#endif

}  // namespace fdevent::sys
