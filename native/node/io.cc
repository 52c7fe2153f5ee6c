#include "node/io.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

#include "sys/call.h"

namespace fdevent::node {
namespace {

constexpr size_t kMaxArguments = 5;

struct Arguments {
  Arguments(napi_env env, napi_callback_info info) : env(env) {
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  }

  int integer(size_t index) const {
    int32_t value = -1;
    if (index < count) {
      napi_get_value_int32(env, values[index], &value);
    }
    return value;
  }

  napi_env env;
  size_t count = kMaxArguments;
  napi_value values[kMaxArguments];
};

napi_value to_number(napi_env env, int value) {
  napi_value result;
  napi_create_int32(env, value, &result);
  return result;
}

// The part of a Uint8Array that arguments 1 to 3 (array, offset, length) name. JavaScript has checked the
// bounds; they are checked again because a mistake here would be a hole in memory safety.
bool get_span(const Arguments& arguments, uint8_t** start, size_t* length) {
  napi_typedarray_type type;
  size_t available = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(arguments.env, arguments.values[1], &type, &available, &data, nullptr,
                               nullptr) != napi_ok ||
      type != napi_uint8_array) {
    return false;
  }
  double offset = -1;
  double wanted = -1;
  napi_get_value_double(arguments.env, arguments.values[2], &offset);
  napi_get_value_double(arguments.env, arguments.values[3], &wanted);
  if (!(offset >= 0 && wanted >= 0 && offset + wanted <= static_cast<double>(available))) {
    return false;
  }
  *start = static_cast<uint8_t*>(data) + static_cast<size_t>(offset);
  *length = static_cast<size_t>(wanted);
  if (*length > INT32_MAX) {
    *length = INT32_MAX;  // the result is an int; read(2) and write(2) may always do less
  }
  return true;
}

// (fd, array, offset, length[, flags]) -> count or -errno
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
    return ::read(fd, start, length);
  });
}

napi_value write(napi_env env, napi_callback_info info) {
  return transfer(env, info, [](const Arguments&, int fd, const uint8_t* start, size_t length) {
    return ::write(fd, start, length);
  });
}

napi_value recv(napi_env env, napi_callback_info info) {
  return transfer(env, info, [](const Arguments& all, int fd, uint8_t* start, size_t length) {
    return ::recv(fd, start, length, all.integer(4) | MSG_DONTWAIT);
  });
}

napi_value send(napi_env env, napi_callback_info info) {
  return transfer(env, info, [](const Arguments& all, int fd, const uint8_t* start, size_t length) {
    return ::send(fd, start, length, all.integer(4) | MSG_DONTWAIT | MSG_NOSIGNAL);
  });
}

// (fd) -> descriptor or -errno
napi_value accept(napi_env env, napi_callback_info info) {
  const int fd = Arguments(env, info).integer(0);
  return to_number(env, sys::retry([fd] {
    return ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  }));
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
  return to_number(
      env, wanted == flags ? 0 : sys::call([&] { return ::fcntl(fd, F_SETFL, wanted); }));
}

// (fd) -> SO_ERROR >= 0, or -errno
napi_value socket_error(napi_env env, napi_callback_info info) {
  const int fd = Arguments(env, info).integer(0);
  int error = 0;
  socklen_t size = sizeof error;
  const int got =
      sys::call([&] { return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size); });
  return to_number(env, got < 0 ? got : error);
}

// (Int32Array of 2) -> 0 or -errno, with the two new descriptors filled in
template <typename Call>
napi_value create_pair(napi_env env, napi_callback_info info, Call&& syscall) {
  const Arguments arguments(env, info);
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, arguments.values[0], &type, &length, &data, nullptr, nullptr) !=
          napi_ok ||
      type != napi_int32_array || length != 2) {
    return to_number(env, -EINVAL);
  }
  return to_number(env, sys::call([&] { return syscall(static_cast<int*>(data)); }));
}

napi_value pipe(napi_env env, napi_callback_info info) {
  return create_pair(env, info, [](int* fds) { return ::pipe2(fds, O_NONBLOCK | O_CLOEXEC); });
}

napi_value socketpair(napi_env env, napi_callback_info info) {
  return create_pair(env, info, [](int* fds) {
    return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
  });
}

}  // namespace

void export_io(Napi::Object exports) {
  const Napi::Env env = exports.Env();
  const auto define = [&](const char* name, napi_callback callback) {
    napi_value function;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
    exports.Set(name, function);
  };
  define("read", read);
  define("write", write);
  define("recv", recv);
  define("send", send);
  define("accept", accept);
  define("dup", dup);
  define("closeFd", close);
  define("isNonBlocking", is_non_blocking);
  define("setNonBlocking", set_non_blocking);
  define("socketError", socket_error);
  define("pipe", pipe);
  define("socketpair", socketpair);
  exports.Set("MSG_OOB", static_cast<double>(MSG_OOB));
  exports.Set("MSG_PEEK", static_cast<double>(MSG_PEEK));
}

}  // namespace fdevent::node
