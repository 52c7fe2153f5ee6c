// Runs a poller inside libuv: libuv watches the poller's own descriptor, and no other. A user's
// descriptor never reaches libuv, which would abort the process when one is closed in the same
// tick, set O_NONBLOCK on it, and accept only one handle for each.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>

namespace fdevent::node {

class NestedDriver {
 public:
  using Callback = std::function<void()>;
  // The poller as a member of another one, given by its descriptor.
  struct Member {
    std::function<int(int)> join;
    std::function<int(int, bool)> hush;
  };

  // `on_turn` runs on the loop's thread whenever `fd` is readable, and once per loop iteration
  // after request_turn(). Returns 0 or a negated errno.
  int open(uv_loop_t* loop, int fd, Callback on_turn, Member member);

  // Without a kernel event: the loop does not sleep before the next turn.
  void request_turn(bool wanted);
  // During a turn that goes on for long: each event would otherwise be told to libuv's poller as well, which
  // costs the kernel a tenth of passing a byte along.
  void hush(bool quiet);
  // The descriptor has its old number and is a new object.
  void watch_again();
  // Whether the loop stays alive for this driver.
  void reference(bool wanted);

  // Ends the handles; `closed` runs from the loop when they are gone, at once where there are none.
  // The driver may be destroyed from there, not earlier.
  void close(Callback closed);

 private:
  // libuv's structs may be larger in the running process than in the headers this was built with.
  template <typename Handle>
  struct Free {
    void operator()(Handle* handle) const { ::operator delete(handle); }
  };
  template <typename Handle>
  using Owned = std::unique_ptr<Handle, Free<Handle>>;

  int watch();
  static void on_handle_closed(uv_handle_t* handle);

  Owned<uv_poll_t> poll_;
  Owned<uv_idle_t> idle_;
  Callback on_turn_;
  Member member_;
  Callback closed_;
  int open_handles_ = 0;
  bool referenced_ = false;
  bool turn_requested_ = false;
  bool quiet_ = false;
};

}  // namespace fdevent::node
