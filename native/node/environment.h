// One per JavaScript environment (the main thread, each worker) and instance of the package in it:
// the reactor, its driver, and the border to JavaScript. Nothing is shared between them.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "core/reactor.h"
#include "node/driver.h"
#include "node/habit.h"
#include "node/transfers.h"

namespace fdevent::node {

class Environment {
 public:
  // A batch of records stands in `records`, an Int32Array, when `dispatch(count)` runs. Lives until
  // the cleanup of the JavaScript environment has closed its handles. Null, with an exception
  // pending, where that one is ending. `threaded`: which driver.
  static Environment* create(napi_env env, napi_value records, napi_value dispatch, bool threaded);

  int32_t start(int fd, Interest interest, double seconds, bool referenced);
  int32_t start_select(const std::vector<sys::Probe>& members, double seconds, bool referenced,
                       size_t* culprit);
  int32_t watch(int fd, Interest interest, bool edge, bool referenced);
  core::Outcome set_interest(core::Slot slot, Interest interest);
  void set_referenced(core::Slot slot, bool referenced);
  core::Outcome cancel(core::Slot slot);
  void close(int fd, std::vector<core::Slot>* interrupted);
  // Streams: a slot or a failure; then as Transfers has it.
  int32_t open_stream(int fd);
  bool stream_intact(core::Slot stream);
  void close_stream(core::Slot stream, std::vector<core::Slot>* interrupted);
  int32_t start_attached(core::Slot stream, Interest interest, double seconds, bool referenced);
  template <typename Call>
  int32_t transfer(Call&& call) {
    const int32_t result = call(transfers_);
    settle();
    return result;
  }
  double progress(core::Slot slot) const { return transfers_.progress(slot); }
  core::Reactor& reactor() { return reactor_; }
  const char* driver() const { return driver_->name(); }

  // The next batch, in the same callback: the count of its records, or 0.
  int next_in_callback() { return in_turn_ ? next_batch(&in_callback_) : 0; }

 private:
  // The bounds that keep timers, immediates and libuv's other descriptors alive under a permanently ready one: a turn ends
  // with whichever is reached first. In a chain of 100 socket pairs with one active, 64 rounds are 4 % faster than 16, and
  // more gain nothing; a crowd has had its events after a few rounds.
  static constexpr int kRounds = 64;
  static constexpr int kRecords = 1024;
  // How many records at once promise a turn that is worth the two calls of muting libuv's poller.
  static constexpr int kCrowd = 16;

  Environment(napi_env env, bool threaded)
      : env_(env), transfers_(env), driver_(make_driver(threaded)) {
    transfers_.connect(&reactor_);
  }

  core::Outcome ensure_open();
  void on_turn();
  int next_batch(Habit* habit);
  int fetch();
  void dispatch(int count);
  void settle();
  bool prepare_cleanup(bool threaded);
  void end(Driver::Callback ended);

  napi_env env_;
  Transfers transfers_;
  core::Reactor reactor_{&transfers_};
  std::unique_ptr<Driver> driver_;  // never null
  int rounds_ = 0;
  int turn_records_ = 0;
  Habit in_callback_;
  Habit after_callback_;
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
