/* What remains of the floor when the calls are made from JavaScript: an addon of four functions, each a system call and the
 * conversion of its arguments, without a check, a table or an error. No library on Node-API can be faster than this. */
#include <node_api.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BATCH = 512 };

struct arguments {
  napi_value values[2];
  int fd;
  void* memory;
  size_t length;
};

static struct arguments take(napi_env env, napi_callback_info info) {
  struct arguments all = {.length = 0};
  size_t count = 2;
  napi_get_cb_info(env, info, &count, all.values, NULL, NULL);
  napi_get_value_int32(env, all.values[0], &all.fd);
  if (count == 2) {
    napi_get_typedarray_info(env, all.values[1], NULL, &all.length, &all.memory, NULL, NULL);
  }
  return all;
}

static napi_value number(napi_env env, long value) {
  napi_value result;
  napi_create_int32(env, (int)value, &result);
  return result;
}

/* open(fds: Int32Array) -> a poller on which each is registered */
static napi_value open_poller(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value array;
  size_t length = 0;
  void* fds = NULL;
  napi_get_cb_info(env, info, &count, &array, NULL, NULL);
  napi_get_typedarray_info(env, array, NULL, &length, &fds, NULL, NULL);
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  for (size_t i = 0; i < length; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, ((int*)fds)[i], &event)) {
      napi_throw_error(env, NULL, "epoll_ctl");
    }
  }
  return number(env, poller);
}

/* wait(poller, ready: Int32Array) -> how many indexes stand in it */
static napi_value wait_poller(napi_env env, napi_callback_info info) {
  struct epoll_event batch[BATCH];
  const struct arguments all = take(env, info);
  const long count = syscall(SYS_epoll_pwait, all.fd, batch, BATCH, -1, NULL, 0);
  for (long i = 0; i < count; i++) {
    ((int*)all.memory)[i] = (int)batch[i].data.u64;
  }
  return number(env, count);
}

/* read(fd, bytes: Uint8Array) -> how many */
static napi_value read_bytes(napi_env env, napi_callback_info info) {
  const struct arguments all = take(env, info);
  return number(env, syscall(SYS_read, all.fd, all.memory, all.length));
}

/* write(fd, bytes: Uint8Array) -> how many */
static napi_value write_bytes(napi_env env, napi_callback_info info) {
  const struct arguments all = take(env, info);
  return number(env, syscall(SYS_write, all.fd, all.memory, all.length));
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {.utf8name = "open", .method = open_poller},
      {.utf8name = "wait", .method = wait_poller},
      {.utf8name = "read", .method = read_bytes},
      {.utf8name = "write", .method = write_bytes},
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}
