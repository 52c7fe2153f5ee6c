#include "node/driver.h"

#include <poll.h>

#include <string_view>

#include "backend/selected.h"
#include "node/nested_driver.h"
#include "node/thread_driver.h"

namespace fdevent::node {
namespace {

// Whether a poller inside another of its kind makes that one ready. epoll was made for it; of kqueue it is tried, since versions
// have differed. Asked by the first wait, because loading the library opens no descriptor.
bool nesting_works() {
  if constexpr (std::string_view(backend::Backend::kName) == "epoll") {
    return true;
  }
  backend::Backend inner;
  backend::Backend outer;
  if (inner.open() < 0 || outer.open() < 0 || inner.join(outer.fd()) < 0) {
    return false;
  }
  const int waker = inner.enable_wake();
  if (waker < 0 || backend::Backend::wake(waker) < 0) {
    return false;
  }
  pollfd polled{outer.fd(), POLLIN, 0};
  return ::poll(&polled, 1, 100) == 1 && (polled.revents & POLLIN) != 0;
}

// Decides when it is opened.
class AutomaticDriver final : public Driver {
 public:
  int open(napi_env env, int fd, Callback on_turn, Member member) override {
    if (!chosen_) {
      chosen_ = nesting_works() ? std::unique_ptr<Driver>(std::make_unique<NestedDriver>())
                                : std::make_unique<ThreadDriver>();
    }
    return chosen_->open(env, fd, std::move(on_turn), std::move(member));
  }
  void request_turn(bool wanted) override {
    if (chosen_) {
      chosen_->request_turn(wanted);
    }
  }
  void mute(bool muted) override {
    if (chosen_) {
      chosen_->mute(muted);
    }
  }
  void watch_again() override {
    if (chosen_) {
      chosen_->watch_again();
    }
  }
  void reference(bool wanted) override {
    if (chosen_) {
      chosen_->reference(wanted);
    }
  }
  void close(Callback closed) override { chosen_ ? chosen_->close(std::move(closed)) : closed(); }
  bool owns_descriptors() const override { return chosen_ && chosen_->owns_descriptors(); }
  bool owns(int fd) const override { return chosen_ && chosen_->owns(fd); }
  const char* name() const override { return chosen_ ? chosen_->name() : "nested"; }

 private:
  std::unique_ptr<Driver> chosen_;
};

}  // namespace

std::unique_ptr<Driver> make_driver(bool threaded) {
  if (threaded) {
    return std::make_unique<ThreadDriver>();
  }
  if constexpr (std::string_view(backend::Backend::kName) == "epoll") {
    return std::make_unique<NestedDriver>();
  }
  return std::make_unique<AutomaticDriver>();
}

}  // namespace fdevent::node
