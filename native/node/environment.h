// One per JavaScript environment (the main thread, each worker): the reactor, its driver, and the
// border to JavaScript. Nothing is shared between environments.
#pragma once

#include <napi.h>

#include <vector>

#include "core/reactor.h"
#include "node/nested_driver.h"
#include "node/persistence.h"

namespace fdevent::node {

class Environment {
 public:
  // Lives until the environment's cleanup has closed its handles.
  static Environment* create(napi_env env);

  // JavaScript's side of the border: a batch of records stands in `records`, then `dispatch(count)`
  // runs.
  void connect(napi_value records, napi_value dispatch);

  int32_t start(int fd, Interest interest, double seconds, bool referenced);
  int32_t start_select(const std::vector<sys::Probe>& members, double seconds, bool referenced,
                       size_t* culprit);
  int32_t watch(int fd, Interest interest, bool edge, bool referenced);
  core::Outcome set_interest(core::Slot slot, Interest interest);
  void set_referenced(core::Slot slot, bool referenced);
  void cancel(core::Slot slot);
  void close(int fd, std::vector<core::Slot>* interrupted);
  core::Reactor& reactor() { return reactor_; }

 private:
  explicit Environment(napi_env env) : env_(env) {}

  core::Outcome ensure_open();
  void on_turn();
  void dispatch(int count);
  void settle();
  static void on_cleanup(napi_async_cleanup_hook_handle handle, void* data);

  napi_env env_;
  core::Reactor reactor_;
  NestedDriver driver_;
  Persistence persistence_;
  napi_async_context context_ = nullptr;
  napi_ref dispatch_ = nullptr;
  napi_ref records_array_ = nullptr;
  core::Record* records_ = nullptr;
  int capacity_ = 0;
  bool driven_ = false;
  bool in_turn_ = false;
  bool closing_ = false;
};

}  // namespace fdevent::node
