// What gives a reactor its turns: something that learns when the poller's descriptor is readable, on the JavaScript thread, and
// keeps the process alive while it should. Two do: NestedDriver inside libuv's loop, ThreadDriver wherever that cannot be had.
#pragma once

#include <node_api.h>

#include <functional>
#include <memory>

namespace fdevent::node {

class Driver {
 public:
  using Callback = std::function<void()>;
  // The poller as a member of another one, given by that one's descriptor; see Backend::join and mute.
  struct Member {
    std::function<int(int)> join;
    std::function<int(int, bool)> mute;
  };

  virtual ~Driver() = default;

  // `on_turn` runs on the JavaScript thread whenever `fd` is readable, and once per loop iteration after request_turn().
  // Returns 0 or a negated errno, after which it may be tried again.
  virtual int open(napi_env env, int fd, Callback on_turn, Member member) = 0;

  // Without a kernel event: the loop does not sleep before the next turn.
  virtual void request_turn(bool wanted) = 0;
  // During a turn with a crowd of events: nothing has to be told to whoever would give the next one.
  virtual void mute(bool) {}
  // The descriptor has its old number and is a new object.
  virtual void watch_again() = 0;
  // Whether the loop stays alive for this driver.
  virtual void reference(bool wanted) = 0;

  // Ends it; `closed` runs when nothing is left of it, at once where there is nothing. The driver may be destroyed from there,
  // not earlier.
  virtual void close(Callback closed) = 0;

  virtual bool owns_descriptors() const { return false; }
  virtual bool owns(int) const { return false; }

  virtual const char* name() const = 0;
};

// A thread where that is asked for, or where pollers cannot be nested on this system.
std::unique_ptr<Driver> make_driver(bool threaded);

}  // namespace fdevent::node
