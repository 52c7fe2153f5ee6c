#include "node/io.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "node/arguments.h"
#include "sys/call.h"
#include "sys/descriptors.h"
#include "sys/plain_io.h"
#include "sys/process_fd.h"

namespace fdevent::node {
namespace {

// The part of a Uint8Array that arguments 1 to 3 (array, offset, length) name; without the last two, all
// of it. JavaScript has checked the bounds; they are checked again because a mistake here would be a hole
// in memory safety.
bool get_span(const Arguments& arguments, uint8_t** start, size_t* length) {
  size_t available = 0;
  uint8_t* memory = arguments.bytes(1, &available);
  if (memory && arguments.count == 2) {
    *start = memory;
    *length = std::min<size_t>(available, INT32_MAX);
    return true;
  }
  const int64_t offset = arguments.size(2);
  const int64_t wanted = arguments.size(3);
  if (!memory || offset < 0 || wanted < 0 || offset > static_cast<int64_t>(available) ||
      wanted > static_cast<int64_t>(available) - offset) {
    return false;
  }
  *start = memory + offset;
  // The result is an int32; read(2) and write(2) may always do less than they are asked.
  *length = static_cast<size_t>(wanted > INT32_MAX ? INT32_MAX : wanted);
  return true;
}

// (fd, array[, offset, length[, flags]]) -> count or -errno
template <typename Call>
napi_value transfer(napi_env env, napi_callback_info info, Call&& syscall) {
  const Arguments arguments(env, info);
  uint8_t* start;
  size_t length;
  if (!get_span(arguments, &start, &length)) {
    return to_number(env, -EINVAL);
  }
  const int fd = arguments.integer(0);
  return to_number(env, sys::retry([&] { return syscall(arguments, fd, start, length); }));
}

napi_value read(napi_env env, napi_callback_info info) {
  return transfer(env, info, [](const Arguments&, int fd, uint8_t* start, size_t length) {
    return sys::read(fd, start, length);
  });
}

napi_value write(napi_env env, napi_callback_info info) {
  return transfer(env, info, [](const Arguments&, int fd, const uint8_t* start, size_t length) {
    return sys::write(fd, start, length);
  });
}

napi_value recv(napi_env env, napi_callback_info info) {
  return transfer(env, info, [](const Arguments& all, int fd, uint8_t* start, size_t length) {
    return sys::recv(fd, start, length, all.integer(4) | MSG_DONTWAIT);
  });
}

napi_value send(napi_env env, napi_callback_info info) {
  return transfer(env, info, [](const Arguments& all, int fd, const uint8_t* start, size_t length) {
    return sys::send(fd, start, length, all.integer(4) | sys::kSilently);
  });
}

// (fd) -> descriptor or -errno
napi_value accept(napi_env env, napi_callback_info info) {
  const int fd = Arguments(env, info).integer(0);
  return to_number(env, sys::accept_stream(fd));
}

// (fd) -> descriptor or -errno
napi_value dup(napi_env env, napi_callback_info info) {
  const int fd = Arguments(env, info).integer(0);
  return to_number(env, sys::call([fd] { return ::fcntl(fd, F_DUPFD_CLOEXEC, 0); }));
}

// (fd) -> 0 or -errno. Not retried: after EINTR the number is released already.
napi_value close(napi_env env, napi_callback_info info) {
  const int fd = Arguments(env, info).integer(0);
  const int closed = sys::call([fd] { return ::close(fd); });
  return to_number(env, closed == -EINTR ? 0 : closed);
}

// (fd) -> 0, 1 or -errno
napi_value is_non_blocking(napi_env env, napi_callback_info info) {
  const int fd = Arguments(env, info).integer(0);
  const int flags = sys::call([fd] { return ::fcntl(fd, F_GETFL); });
  return to_number(env, flags < 0 ? flags : (flags & O_NONBLOCK) != 0);
}

// (fd, on) -> 0 or -errno
napi_value set_non_blocking(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  const int fd = arguments.integer(0);
  bool on = true;
  napi_get_value_bool(env, arguments.values[1], &on);
  const int flags = sys::call([fd] { return ::fcntl(fd, F_GETFL); });
  if (flags < 0) {
    return to_number(env, flags);
  }
  const int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  return to_number(env,
                   wanted == flags ? 0 : sys::call([&] { return ::fcntl(fd, F_SETFL, wanted); }));
}

// (fd) -> 0 reading, 1 writing, 2 both, or -errno
napi_value access_mode(napi_env env, napi_callback_info info) {
  const int fd = Arguments(env, info).integer(0);
  const int flags = sys::call([fd] { return ::fcntl(fd, F_GETFL); });
  if (flags < 0) {
    return to_number(env, flags);
  }
  const int mode = flags & O_ACCMODE;
  return to_number(env, mode == O_RDONLY ? 0 : mode == O_WRONLY ? 1 : 2);
}

// (fd): ends the sending half of a socket -> 0 or -errno
napi_value end_sending(napi_env env, napi_callback_info info) {
  const int fd = Arguments(env, info).integer(0);
  return to_number(env, sys::call([fd] { return ::shutdown(fd, SHUT_WR); }));
}

// (pid) -> descriptor or -errno
napi_value open_process(napi_env env, napi_callback_info info) {
  return to_number(env, sys::open_process(Arguments(env, info).integer(0)));
}

// (fd) -> SO_ERROR >= 0, or -errno
napi_value socket_error(napi_env env, napi_callback_info info) {
  const int fd = Arguments(env, info).integer(0);
  int error = 0;
  socklen_t size = sizeof error;
  const int got = sys::call([&] { return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size); });
  return to_number(env, got < 0 ? got : error);
}

// (Int32Array of 2) -> 0 or -errno, with the two new descriptors filled in
template <typename Call>
napi_value create_pair(napi_env env, napi_callback_info info, Call&& syscall) {
  size_t length = 0;
  const Arguments arguments(env, info);
  int32_t* fds = arguments.words(0, &length);
  if (!fds || length != 2) {
    return to_number(env, -EINVAL);
  }
  return to_number(env, syscall(fds));
}

napi_value pipe(napi_env env, napi_callback_info info) {
  return create_pair(env, info, sys::make_pipe);
}

napi_value socketpair(napi_env env, napi_callback_info info) {
  return create_pair(env, info, sys::make_socketpair);
}

}  // namespace

void export_io(Napi::Object exports) {
  define(exports, "read", read);
  define(exports, "write", write);
  define(exports, "recv", recv);
  define(exports, "send", send);
  define(exports, "accept", accept);
  define(exports, "dup", dup);
  define(exports, "closeFd", close);
  define(exports, "isNonBlocking", is_non_blocking);
  define(exports, "setNonBlocking", set_non_blocking);
  define(exports, "socketError", socket_error);
  define(exports, "accessMode", access_mode);
  define(exports, "endSending", end_sending);
  define(exports, "openProcess", open_process);
  exports.Set("openProcessName", sys::kOpenProcess);
  define(exports, "pipe", pipe);
  define(exports, "socketpair", socketpair);
  exports.Set("MSG_OOB", static_cast<double>(MSG_OOB));
  exports.Set("MSG_PEEK", static_cast<double>(MSG_PEEK));
}

}  // namespace fdevent::node
