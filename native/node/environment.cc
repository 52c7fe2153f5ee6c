#include "node/environment.h"

#include <cerrno>
#include <utility>

namespace fdevent::node {

static_assert(sizeof(core::Record) == 3 * sizeof(int32_t),
              "JavaScript reads records as three Int32");

Environment* Environment::create(napi_env env, napi_value records, napi_value dispatch,
                                 bool threaded) {
  void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type = napi_int8_array;
  if (napi_get_typedarray_info(env, records, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array || length < 3) {
    Napi::TypeError::New(env, "connect(records: Int32Array, dispatch)")
        .ThrowAsJavaScriptException();
    return nullptr;
  }
  auto* environment = new Environment(env, threaded);
  if (!environment->prepare_cleanup(threaded)) {
    delete environment;
    Napi::Error::New(env, "this environment is ending").ThrowAsJavaScriptException();
    return nullptr;
  }
  environment->records_ = static_cast<core::Record*>(data);
  environment->capacity_ = static_cast<int>(length / 3);
  napi_create_reference(env, records, 1, &environment->records_array_);
  napi_create_reference(env, dispatch, 1, &environment->dispatch_);
  // A thread-safe function brings an async context of its own; and Deno cannot destroy one when an environment ends.
  if (!threaded) {
    napi_async_init(env, Napi::Object::New(env), Napi::String::New(env, "FDEVENT"),
                    &environment->context_);
  }
  return environment;
}

bool Environment::prepare_cleanup(bool threaded) {
  if (threaded) {
    // Its driver ends at once. Deno frees the handle of an asynchronous hook twice.
    return napi_add_env_cleanup_hook(
               env_, [](void* data) { static_cast<Environment*>(data)->end([] {}); }, this) ==
           napi_ok;
  }
  // Asynchronous, because libuv's handles are gone only when the loop has run their close
  // callbacks; a worker that ends with an open handle aborts the process.
  const auto on_cleanup = [](napi_async_cleanup_hook_handle handle, void* data) {
    static_cast<Environment*>(data)->end([handle] { napi_remove_async_cleanup_hook(handle); });
  };
  napi_async_cleanup_hook_handle handle;
  return napi_add_async_cleanup_hook(env_, on_cleanup, this, &handle) == napi_ok;
}

void Environment::end(Driver::Callback ended) {
  closing_ = true;
  napi_delete_reference(env_, dispatch_);
  napi_delete_reference(env_, records_array_);
  if (context_) {
    napi_async_destroy(env_, context_);
  }
  driver_->close([this, ended = std::move(ended)] {
    // Moved out, because it is destroyed with what calls it.
    const Driver::Callback last = ended;
    delete this;
    last();
  });
}

// The first wait opens the poller: importing the library costs no descriptor. What failed for want
// of descriptors or memory is tried again by the next wait.
core::Outcome Environment::ensure_open() {
  if (driven_) {
    return 0;
  }
  if (!reactor_.is_open()) {
    const core::Outcome opened = reactor_.open();
    if (opened < 0) {
      return opened;
    }
  }
  if (closing_) {
    return core::failed(core::Syscall::create, -ECANCELED);
  }
  const int driven =
      driver_->open(env_, reactor_.fd(), [this] { on_turn(); },
                    {[this](int outer) { return reactor_.join(outer); },
                     [this](int outer, bool muted) { return reactor_.mute(outer, muted); }});
  if (driven < 0) {
    return core::failed(core::Syscall::create, driven);
  }
  driven_ = true;
  if (driver_->owns_descriptors()) {
    reactor_.refuse([this](int fd) { return driver_->owns(fd); });
  }
  return 0;
}

int32_t Environment::start(int fd, Interest interest, double seconds, bool referenced) {
  if (!driven_) {
    const core::Outcome opened = ensure_open();
    if (opened < 0) {
      return opened;
    }
  }
  const int32_t slot = reactor_.start(fd, interest, seconds, referenced);
  settle();
  return slot;
}

int32_t Environment::start_select(const std::vector<sys::Probe>& members, double seconds,
                                  bool referenced, size_t* culprit) {
  *culprit = 0;
  const core::Outcome opened = ensure_open();
  if (opened < 0) {
    return opened;
  }
  const int32_t slot = reactor_.start_select(members, seconds, referenced, culprit);
  settle();
  return slot;
}

int32_t Environment::watch(int fd, Interest interest, bool edge, bool referenced) {
  const core::Outcome opened = ensure_open();
  if (opened < 0) {
    return opened;
  }
  const int32_t slot = reactor_.watch(fd, interest, edge, referenced);
  settle();
  return slot;
}

core::Outcome Environment::set_interest(core::Slot slot, Interest interest) {
  const core::Outcome outcome = reactor_.set_interest(slot, interest);
  settle();
  return outcome;
}

void Environment::set_referenced(core::Slot slot, bool referenced) {
  reactor_.set_referenced(slot, referenced);
  settle();
}

int32_t Environment::open_stream(int fd) {
  const core::Outcome opened = ensure_open();
  if (opened < 0) {
    return opened;
  }
  const int32_t slot = reactor_.open_stream(fd);
  if (slot >= 0) {
    transfers_.open(slot, fd);
  }
  settle();
  return slot;
}

bool Environment::stream_intact(core::Slot stream) {
  const bool intact = reactor_.intact(stream);
  settle();
  return intact;
}

void Environment::close_stream(core::Slot stream, std::vector<core::Slot>* interrupted) {
  reactor_.close_stream(stream, interrupted);
  settle();
}

int32_t Environment::start_attached(core::Slot stream, Interest interest, double seconds,
                                    bool referenced) {
  const int32_t slot = reactor_.is_stream(stream)
                           ? reactor_.start_attached(stream, interest, seconds, referenced, false)
                           : core::failed(core::Syscall::close, -EBADF);
  settle();
  return slot;
}

core::Outcome Environment::cancel(core::Slot slot) {
  const core::Outcome outcome = reactor_.cancel(slot);
  settle();
  return outcome;
}

void Environment::close(int fd, std::vector<core::Slot>* interrupted) {
  reactor_.close(fd, interrupted);
  settle();
}

// Tells the driver what the reactor needs now. During a turn its end does it, once.
void Environment::settle() {
  if (!in_turn_) {
    driver_->request_turn(reactor_.urgent());
    driver_->reference(reactor_.referenced() > 0);
  }
}

void Environment::on_turn() {
  in_turn_ = true;
  rounds_ = 0;
  turn_records_ = 0;
  transfers_.begin_turn();
  for (int count = fetch(); count > 0; count = next_batch(&after_callback_)) {
    dispatch(count);
  }
  reactor_.finish_batch();
  in_turn_ = false;
  driver_->mute(false);
  if (reactor_.take_moved()) {
    driver_->watch_again();
  }
  settle();
}

int Environment::next_batch(Habit* habit) {
  reactor_.finish_batch();
  // What waits already needs no habit.
  const bool over = closing_ || rounds_ >= kRounds || turn_records_ >= kRecords;
  if (over || !(reactor_.urgent() || habit->worth_asking())) {
    return 0;
  }
  const int count = fetch();
  habit->asked(count > 0);
  return count;
}

int Environment::fetch() {
  ++rounds_;
  const int count = reactor_.turn(records_, capacity_);
  turn_records_ += count;
  if (count >= kCrowd) {
    driver_->mute(true);
  }
  return count;
}

void Environment::dispatch(int count) {
  const Napi::Env env(env_);
  const Napi::HandleScope scope(env);
  napi_value dispatch;
  napi_value receiver;
  napi_value argument;
  napi_get_reference_value(env_, dispatch_, &dispatch);
  napi_get_global(env_, &receiver);
  napi_create_int32(env_, count, &argument);
  // Not a bare call: this opens a callback scope, at whose end Node runs the ticks and the promise
  // continuations. Since Node 26.4 they would otherwise wait for the next unrelated event.
  // Deno writes the result to wherever it is told, be it nowhere.
  napi_value result;
  const napi_status status =
      napi_make_callback(env_, context_, receiver, dispatch, 1, &argument, &result);
  if (status == napi_pending_exception) {
    napi_value error;
    napi_get_and_clear_last_exception(env_, &error);
    napi_fatal_exception(env_, error);
  }
}

}  // namespace fdevent::node
