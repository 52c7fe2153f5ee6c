#include "node/poller.h"

#include <sched.h>

#include <cerrno>
#include <cstdint>
#include <memory>

#include "core/sync_poller.h"
#include "node/arguments.h"

namespace fdevent::node {
namespace {

using core::SyncPoller;
using core::Wait;

// Beside the waker's descriptor, a word in memory that all threads share: how many are using the
// descriptor at this moment, and, as its sign, whether the poller is closed. Without it a
// notification might write to a number that means something else by then.
class Gate {
 public:
  explicit Gate(int32_t* word) : word_(word) {}

  bool enter() {
    if (__atomic_fetch_add(word_, 1, __ATOMIC_ACQ_REL) >= 0) {
      return true;
    }
    leave();
    return false;
  }
  void leave() { __atomic_fetch_sub(word_, 1, __ATOMIC_ACQ_REL); }
  void close() {
    __atomic_fetch_add(word_, kClosed, __ATOMIC_ACQ_REL);
    // Each of them is inside one write(2), which does not block.
    while (__atomic_load_n(word_, __ATOMIC_ACQUIRE) != kClosed) {
      sched_yield();
    }
  }

 private:
  static constexpr int32_t kClosed = INT32_MIN;
  int32_t* word_;
};

// Both arrays lie in SharedArrayBuffers, which nobody can detach, and are kept alive by the
// references.
struct Handle {
  napi_env env;
  std::unique_ptr<SyncPoller> poller;
  SyncPoller::Ready* events;
  int capacity;
  Gate gate;
  napi_ref references[2];

  void close() {
    if (poller) {
      gate.close();
      poller.reset();
      for (const napi_ref reference : references) {
        napi_delete_reference(env, reference);
      }
    }
  }
};

Handle* handle_of(const Arguments& arguments) {
  void* data = nullptr;
  napi_get_value_external(arguments.env, arguments.values[0], &data);
  return static_cast<Handle*>(data);
}

// (events, gate) -> handle or failure
napi_value open(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  size_t length = 0;
  int32_t* events = arguments.words(0, &length);
  size_t words = 0;
  int32_t* gate = arguments.words(1, &words);
  if (!events || !gate || length < 2 || words < 1) {
    return to_number(env, core::failed(core::Syscall::create, -EINVAL));
  }
  auto poller = std::make_unique<SyncPoller>();
  const core::Outcome opened = poller->open();
  if (opened < 0) {
    return to_number(env, opened);
  }
  auto* handle = new Handle{env,
                            std::move(poller),
                            reinterpret_cast<SyncPoller::Ready*>(events),
                            static_cast<int>(length / 2),
                            Gate(gate),
                            {}};
  for (size_t i = 0; i < 2; ++i) {
    napi_create_reference(env, arguments.values[i], 1, &handle->references[i]);
  }
  napi_value external;
  const napi_status status = napi_create_external(
      env, handle,
      [](napi_env, void* data, void*) {
        static_cast<Handle*>(data)->close();
        delete static_cast<Handle*>(data);
      },
      nullptr, &external);
  if (status != napi_ok) {
    handle->close();
    delete handle;
    return to_number(env, core::failed(core::Syscall::create, -ENOMEM));
  }
  return external;
}

// (handle, fd, interest, kind) -> 0 or failure
napi_value add(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  return to_number(env, handle_of(arguments)->poller->add(
                            arguments.integer(1), static_cast<Interest>(arguments.integer(2)),
                            static_cast<Wait::Kind>(arguments.integer(3))));
}

// (handle, fd, interest, kind) -> 0 or failure
napi_value modify(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  return to_number(env, handle_of(arguments)->poller->modify(
                            arguments.integer(1), static_cast<Interest>(arguments.integer(2)),
                            static_cast<Wait::Kind>(arguments.integer(3))));
}

// (handle, fd) -> 0 or failure
napi_value remove(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  return to_number(env, handle_of(arguments)->poller->remove(arguments.integer(1)));
}

// (handle, seconds) -> count or failure
napi_value wait(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  double seconds = 0;
  napi_get_value_double(env, arguments.values[1], &seconds);
  Handle* handle = handle_of(arguments);
  return to_number(env, handle->poller->wait(handle->events, handle->capacity, seconds));
}

// (handle) -> as wait, which has returned pollerUnfinished
napi_value resume(napi_env env, napi_callback_info info) {
  Handle* handle = handle_of(Arguments(env, info));
  return to_number(env, handle->poller->resume(handle->events, handle->capacity));
}

// (handle) -> the poller's own descriptor
napi_value fd(napi_env env, napi_callback_info info) {
  return to_number(env, handle_of(Arguments(env, info))->poller->fd());
}

// (handle) -> the descriptor to wake it by, or failure
napi_value waker(napi_env env, napi_callback_info info) {
  const int fd = handle_of(Arguments(env, info))->poller->enable_wake();
  return to_number(env, fd < 0 ? core::failed(core::Syscall::create, fd) : fd);
}

// (handle)
napi_value close(napi_env env, napi_callback_info info) {
  handle_of(Arguments(env, info))->close();
  return nullptr;
}

// (waker, gate) -> 1 notified, 0 closed, or failure; from any thread
napi_value notify(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  size_t length = 0;
  int32_t* word = arguments.words(1, &length);
  if (!word || length < 1) {
    return to_number(env, core::failed(core::Syscall::wait, -EINVAL));
  }
  Gate gate(word);
  if (!gate.enter()) {
    return to_number(env, 0);
  }
  const int woken = backend::Backend::wake(arguments.integer(0));
  gate.leave();
  return to_number(env, woken < 0 ? core::failed(core::Syscall::wait, woken) : 1);
}

}  // namespace

void export_poller(Napi::Object exports) {
  define(exports, "pollerOpen", open);
  define(exports, "pollerAdd", add);
  define(exports, "pollerModify", modify);
  define(exports, "pollerRemove", remove);
  define(exports, "pollerWait", wait);
  define(exports, "pollerResume", resume);
  exports.Set("pollerUnfinished", SyncPoller::kUnfinished);
  define(exports, "pollerFd", fd);
  define(exports, "pollerWaker", waker);
  define(exports, "pollerClose", close);
  define(exports, "pollerNotify", notify);
}

}  // namespace fdevent::node
