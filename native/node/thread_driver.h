// Runs a poller beside an event loop of which nothing is known: a thread sleeps in poll(2) on the poller's descriptor, and hands
// over by a thread-safe function. The thread sees two descriptors and nothing else; everything that is state of a wait stays on
// the JavaScript thread.
//
// Hazard: the environment may end the thread-safe function at any moment of its teardown, before anybody else is told, and
// frees it then. Rule: the thread ends first. Whoever comes first, the function's own finalizer or close(), stops and joins it;
// a Waiter, which both know, outlives them.
#pragma once

#include <memory>

#include "node/driver.h"

namespace fdevent::node {

class ThreadDriver final : public Driver {
 public:
  ~ThreadDriver() override;
  int open(napi_env env, int fd, Callback on_turn, Member member) override;
  void request_turn(bool wanted) override;
  void watch_again() override;
  void reference(bool wanted) override;
  void close(Callback closed) override;
  bool owns_descriptors() const override { return true; }
  bool owns(int fd) const override;
  const char* name() const override { return "thread"; }

 private:
  class Waiter;
  struct Function;

  int create(Function* function);
  void on_call(bool requested);

  napi_env env_ = nullptr;
  std::shared_ptr<Waiter> waiter_;
  Callback on_turn_;
  bool referenced_ = false;
  bool turn_wanted_ = false;
  bool turn_coming_ = false;  // a requested call is on its way
};

}  // namespace fdevent::node
