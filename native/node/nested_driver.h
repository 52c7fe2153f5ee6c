// Runs a poller inside libuv: libuv watches the poller's own descriptor, and no other. A user's
// descriptor never reaches libuv, which would abort the process when one is closed in the same
// tick, set O_NONBLOCK on it, and accept only one handle for each.
#pragma once

#include <uv.h>

#include <memory>

#include "node/driver.h"

namespace fdevent::node {

class NestedDriver final : public Driver {
 public:
  int open(napi_env env, int fd, Callback on_turn, Member member) override;
  void request_turn(bool wanted) override;
  void mute(bool muted) override;
  void watch_again() override;
  void reference(bool wanted) override;
  void close(Callback closed) override;
  const char* name() const override { return "nested"; }

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
  bool muted_ = false;
};

}  // namespace fdevent::node
