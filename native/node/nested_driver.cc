#include "node/nested_driver.h"

#include <cerrno>
#include <utility>

namespace fdevent::node {
namespace {

template <typename Handle>
uv_handle_t* base(const Handle& handle) {
  return reinterpret_cast<uv_handle_t*>(handle.get());
}

}  // namespace

int NestedDriver::open(napi_env env, int fd, Callback on_turn, Member member) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) {
    return -ECANCELED;
  }
  on_turn_ = std::move(on_turn);
  member_ = std::move(member);

  poll_.reset(static_cast<uv_poll_t*>(::operator new(uv_handle_size(UV_POLL))));
  const int polled = uv_poll_init(loop, poll_.get(), fd);
  if (polled < 0) {
    poll_.reset();
    return polled;
  }
  poll_->data = this;
  ++open_handles_;
  idle_.reset(static_cast<uv_idle_t*>(::operator new(uv_handle_size(UV_IDLE))));
  uv_idle_init(loop, idle_.get());
  idle_->data = this;
  ++open_handles_;

  uv_unref(base(poll_));
  uv_unref(base(idle_));
  return watch();
}

int NestedDriver::watch() {
  // A status below 0 stands for EPOLLERR, which a poller's descriptor never reports; the turn would
  // find out by itself in any case.
  const int started = uv_poll_start(poll_.get(), UV_READABLE, [](uv_poll_t* handle, int, int) {
    static_cast<NestedDriver*>(handle->data)->on_turn_();
  });
  // libuv itself would do it only before it sleeps next, and abort the process if by then the
  // program had made a cycle of pollers (by waiting for libuv's own, say). Joined now, it is the
  // program's attempt that the kernel refuses; libuv finds the registration there and keeps it. A
  // failure is libuv's to find.
  static_cast<void>(member_.join(uv_backend_fd(poll_->loop)));
  return started;
}

// Each event would otherwise be told to libuv's poller as well, which costs the kernel a tenth of passing a byte along. A failure
// means that there is nothing to mute: the program has closed a number that was the library's or libuv's.
void NestedDriver::mute(bool muted) {
  if (muted == muted_ || open_handles_ == 0) {
    return;
  }
  muted_ = muted;
  static_cast<void>(member_.mute(uv_backend_fd(poll_->loop), muted));
}

void NestedDriver::watch_again() {
  if (open_handles_ > 0) {
    // libuv drops its own idea of the number, and registers it anew.
    uv_poll_stop(poll_.get());
    watch();
  }
}

void NestedDriver::request_turn(bool wanted) {
  if (wanted == turn_requested_ || open_handles_ == 0) {
    return;
  }
  turn_requested_ = wanted;
  if (wanted) {
    uv_idle_start(idle_.get(),
                  [](uv_idle_t* handle) { static_cast<NestedDriver*>(handle->data)->on_turn_(); });
  } else {
    uv_idle_stop(idle_.get());
  }
}

void NestedDriver::reference(bool wanted) {
  if (wanted == referenced_ || open_handles_ == 0) {
    return;
  }
  referenced_ = wanted;
  wanted ? uv_ref(base(poll_)) : uv_unref(base(poll_));
}

void NestedDriver::close(Callback closed) {
  if (open_handles_ == 0) {
    closed();
    return;
  }
  closed_ = std::move(closed);
  uv_close(base(poll_), on_handle_closed);
  uv_close(base(idle_), on_handle_closed);
}

void NestedDriver::on_handle_closed(uv_handle_t* handle) {
  auto* driver = static_cast<NestedDriver*>(handle->data);
  if (--driver->open_handles_ == 0) {
    // Moved out, because it may destroy the driver.
    const Callback closed = std::move(driver->closed_);
    closed();
  }
}

}  // namespace fdevent::node
