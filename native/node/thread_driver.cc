#include "node/thread_driver.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "sys/call.h"
#include "sys/descriptors.h"
#include "sys/unique_fd.h"

namespace fdevent::node {
namespace {

// What the JavaScript thread writes into the pipe.
constexpr char kArm = 'a';      // tell when the poller is readable, once
constexpr char kRequest = 'r';  // call back without that
constexpr char kQuit = 'q';

// Signals are for the program's own threads.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &former_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t former_;
};

}  // namespace

struct ThreadDriver::Function {
  napi_threadsafe_function handle = nullptr;  // null when it is released or finalized
  std::shared_ptr<Waiter> waiter;             // until it is finalized
};

class ThreadDriver::Waiter {
 public:
  explicit Waiter(ThreadDriver* driver) : driver_(driver) {}
  ~Waiter() { stop(); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  int start(int fd) {
    int ends[2];
    const int made = sys::make_pipe(ends);
    if (made < 0) {
      return made;
    }
    reader_.reset(ends[0]);
    writer_.reset(ends[1]);
    fd_ = fd;
    const SignalsBlocked blocked;
    // No std::thread: it reports failure by an exception.
    const int created = ::pthread_create(
        &thread_, nullptr,
        [](void* waiter) -> void* {
          static_cast<Waiter*>(waiter)->run();
          return nullptr;
        },
        this);
    running_ = created == 0;
    return -created;
  }

  bool owns(int fd) const { return fd == reader_.get() || fd == writer_.get(); }

  // For JavaScript's thread only, as is all that follows.
  void send(char command) {
    if (running_) {
      static_cast<void>(sys::retry([&] { return ::write(writer_.get(), &command, 1); }));
    }
  }
  void stop() {
    if (running_) {
      send(kQuit);
      ::pthread_join(thread_, nullptr);
      running_ = false;
    }
  }

  ThreadDriver* driver_;  // null when it is closed
  bool armed_ = false;
  // Called in turn: one that is called while it runs is served again before the loop goes on, a thousand times over.
  Function functions_[2];

 private:
  void run() {
    bool armed = false;
    for (;;) {
      pollfd polled[] = {{reader_.get(), POLLIN, 0}, {armed ? fd_ : -1, POLLIN, 0}};
      if (::poll(polled, 2, -1) < 0 && errno != EINTR && errno != EAGAIN) {
        return;
      }
      if (polled[0].revents != 0) {
        char commands[64];
        const ssize_t count = ::read(reader_.get(), commands, sizeof commands);
        for (ssize_t i = 0; i < count; ++i) {
          if (commands[i] == kQuit) {
            return;
          }
          armed |= commands[i] == kArm;
          if (commands[i] == kRequest && !call(true)) {
            return;
          }
        }
      } else if (polled[1].revents != 0) {
        armed = false;
        if (!call(false)) {
          return;
        }
      }
    }
  }

  // False when the environment is ending: the function must not be used again.
  bool call(bool requested) {
    next_ = 1 - next_;
    return napi_call_threadsafe_function(functions_[next_].handle, requested ? this : nullptr,
                                         napi_tsfn_nonblocking) == napi_ok;
  }

  int fd_ = -1;
  int next_ = 0;
  sys::UniqueFd reader_;
  sys::UniqueFd writer_;
  pthread_t thread_{};
  bool running_ = false;
};

int ThreadDriver::open(napi_env env, int fd, Callback on_turn, Member) {
  env_ = env;
  on_turn_ = std::move(on_turn);
  waiter_ = std::make_shared<Waiter>(this);
  int opened = 0;
  for (Function& function : waiter_->functions_) {
    opened = opened < 0 ? opened : create(&function);
  }
  opened = opened < 0 ? opened : waiter_->start(fd);
  if (opened < 0) {
    close([] {});
    return opened;
  }
  watch_again();
  return 0;
}

int ThreadDriver::create(Function* function) {
  napi_value name;
  napi_create_string_utf8(env_, "FDEVENT", NAPI_AUTO_LENGTH, &name);
  function->waiter = waiter_;
  const napi_status created = napi_create_threadsafe_function(
      env_, nullptr, nullptr, name, 0, 1, function,
      [](napi_env, void* data, void*) {
        auto* ending = static_cast<Function*>(data);
        const std::shared_ptr<Waiter> waiter = std::move(ending->waiter);
        waiter->stop();
        ending->handle = nullptr;
      },
      waiter_.get(),
      [](napi_env calling, napi_value, void* context, void* data) {
        auto* waiter = static_cast<Waiter*>(context);
        if (calling && waiter->driver_) {
          waiter->driver_->on_call(data != nullptr);
        }
      },
      &function->handle);
  if (created != napi_ok) {
    function->waiter.reset();
    return -ENOMEM;
  }
  napi_unref_threadsafe_function(env_, function->handle);
  return 0;
}

ThreadDriver::~ThreadDriver() {
  if (waiter_) {
    waiter_->driver_ = nullptr;
  }
}

void ThreadDriver::on_call(bool requested) {
  const std::shared_ptr<Waiter> waiter = waiter_;
  if (requested) {
    turn_coming_ = false;
  } else {
    waiter->armed_ = false;
  }
  on_turn_();
  if (!waiter->driver_) {
    return;
  }
  // One of the two: a turn asks the kernel in any case, and each call that is under way brings one more.
  if (turn_wanted_) {
    request_turn(true);
  } else if (!waiter->armed_ && !turn_coming_) {
    watch_again();
  }
}

void ThreadDriver::request_turn(bool wanted) {
  turn_wanted_ = wanted;
  if (wanted && !turn_coming_ && waiter_) {
    turn_coming_ = true;
    waiter_->send(kRequest);
  }
}

// Also while armed: the thread then sleeps on an object that had the number before.
void ThreadDriver::watch_again() {
  if (waiter_) {
    waiter_->armed_ = true;
    waiter_->send(kArm);
  }
}

void ThreadDriver::reference(bool wanted) {
  if (wanted == referenced_ || !waiter_) {
    return;
  }
  referenced_ = wanted;
  for (const Function& function : waiter_->functions_) {
    if (function.handle) {
      wanted ? napi_ref_threadsafe_function(env_, function.handle)
             : napi_unref_threadsafe_function(env_, function.handle);
    }
  }
}

bool ThreadDriver::owns(int fd) const {
  return waiter_ && waiter_->owns(fd);
}

void ThreadDriver::close(Callback closed) {
  if (waiter_) {
    waiter_->stop();
    waiter_->driver_ = nullptr;
    const std::shared_ptr<Waiter> waiter = std::move(waiter_);
    for (Function& function : waiter->functions_) {
      if (function.handle) {
        napi_release_threadsafe_function(std::exchange(function.handle, nullptr), napi_tsfn_abort);
      }
    }
  }
  closed();
}

}  // namespace fdevent::node
