#include "node/transfers.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "sys/call.h"
#include "sys/descriptors.h"

namespace fdevent::node {
namespace {

using core::Outcome;
using core::Slot;

// What a pipe takes without blocking once poll(2) calls it writable (POSIX: PIPE_BUF), and what
// other descriptors are not trusted beyond.
constexpr size_t kPiece = 4096;

bool ready_now(int fd, short events) {
  pollfd polled{fd, events, 0};
  return sys::retry([&] { return ::poll(&polled, 1, 0); }) > 0;
}

template <typename T>
T& entry(std::vector<T>& table, Slot slot) {
  if (static_cast<size_t>(slot) >= table.size()) {
    table.resize(static_cast<size_t>(slot) + 1);
  }
  return table[static_cast<size_t>(slot)];
}

}  // namespace

void Transfers::open(Slot slot, int fd) {
  Stream& stream = entry(streams_, slot);
  stream = Stream{};
  stream.fd = fd;
  struct stat status;
  stream.socket = ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
  const int flags = ::fcntl(fd, F_GETFL);
  stream.blocking = !stream.socket && flags >= 0 && (flags & O_NONBLOCK) == 0;
  stream.piece = ::isatty(fd) ? 1 : kPiece;
}

int32_t Transfers::read(Slot stream, napi_value array, double seconds, bool referenced) {
  return begin(stream, array, false, seconds, referenced);
}

int32_t Transfers::write(Slot stream, napi_value array, double seconds, bool referenced) {
  return begin(stream, array, true, seconds, referenced);
}

int32_t Transfers::begin(Slot stream, napi_value array, bool writing, double seconds,
                         bool referenced) {
  if (!reactor_->is_stream(stream)) {
    return core::failed(core::Syscall::close, -EBADF);
  }
  const Interest interest = writing ? kWritable : kReadable;
  Operation operation{stream, writing, 0, 0, nullptr};
  napi_get_typedarray_info(env_, array, nullptr, &operation.length, nullptr, nullptr, nullptr);
  // Those who came before are served before.
  // With timeout 0 there is no event to wait for that might say more than was said so far.
  if (!reactor_->queued(stream, interest) &&
      (seconds == 0 || reactor_->promising(stream, interest))) {
    const Outcome outcome = transfer(stream, &operation, array);
    const bool at_once = outcome < 0 ? operation.done == 0 : ++immediate_ <= kImmediate;
    if (outcome != 0 && at_once) {
      return outcome < 0 ? outcome : outcome - 1;
    }
    if (outcome != 0) {
      return finish(outcome, operation, referenced);
    }
  }
  if (seconds == 0) {
    return finish(core::kTimedOut, operation, referenced);
  }
  const int32_t slot = reactor_->start_attached(stream, interest, seconds, referenced, true);
  if (slot < 0) {
    return slot;
  }
  Operation& kept = entry(operations_, slot);
  operation.array = kept.array;
  kept = operation;
  remember(&kept.array, array);
  return kPending - slot;
}

// Done, or failed halfway, but to be told in the next turn.
int32_t Transfers::finish(Outcome outcome, const Operation& operation, bool referenced) {
  const Slot slot = reactor_->start_finished(operation.stream, outcome, referenced);
  entry(operations_, slot).done = operation.done;
  return kPending - slot;
}

double Transfers::progress(Slot slot) const {
  return static_cast<size_t>(slot) < operations_.size()
             ? static_cast<double>(operations_[static_cast<size_t>(slot)].done)
             : 0;
}

Outcome Transfers::perform(Slot slot) {
  const Napi::HandleScope scope(env_);
  Operation& operation = entry(operations_, slot);
  napi_value array = nullptr;
  if (napi_get_reference_value(env_, operation.array, &array) != napi_ok || !array) {
    return core::failed(core::Syscall::wait, -EFAULT);
  }
  return transfer(operation.stream, &operation, array);
}

Outcome Transfers::transfer(Slot stream, Operation* operation, napi_value array) {
  // Looked up each time: between two attempts the program may have detached or resized the memory.
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env_, array, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array || length < operation->length) {
    return core::failed(core::Syscall::wait, -EFAULT);
  }
  auto* start = static_cast<uint8_t*>(data);
  return operation->writing ? write_all(stream, start, operation->length, &operation->done)
                            : read_once(stream, start, operation->length);
}

Outcome Transfers::read_once(Slot slot, uint8_t* start, size_t length) {
  const Stream& stream = entry(streams_, slot);
  const size_t wanted = std::min<size_t>(length, INT32_MAX - 1);
  int count = -EAGAIN;
  if (!stream.blocking || ready_now(stream.fd, POLLIN)) {
    count = sys::retry([&] {
      return stream.socket ? ::recv(stream.fd, start, wanted, MSG_DONTWAIT)
                           : ::read(stream.fd, start, wanted);
    });
  }
  if (count == -EAGAIN) {
    reactor_->disprove(slot, kReadable);
    return 0;
  }
  if (count < 0) {
    return core::failed(core::Syscall::read, count);
  }
  return count + 1;
}

int Transfers::attempt_write(const Stream& stream, const uint8_t* start, size_t length) {
  if (stream.socket) {
    return sys::retry([&] { return ::send(stream.fd, start, length, sys::kSilently); });
  }
  if (!stream.blocking) {
    return sys::retry([&] { return ::write(stream.fd, start, length); });
  }
  if (!ready_now(stream.fd, POLLOUT)) {
    return -EAGAIN;
  }
  return sys::retry([&] { return ::write(stream.fd, start, std::min(length, stream.piece)); });
}

Outcome Transfers::write_all(Slot slot, const uint8_t* start, size_t length, size_t* done) {
  const size_t wanted = std::min<size_t>(length, INT32_MAX - 1);
  do {
    const int count = attempt_write(entry(streams_, slot), start + *done, wanted - *done);
    if (count == -EAGAIN) {
      reactor_->disprove(slot, kWritable);
      return 0;
    }
    if (count < 0) {
      return core::failed(core::Syscall::write, count);
    }
    *done += static_cast<size_t>(count);
  } while (*done < wanted);
  return static_cast<Outcome>(*done) + 1;
}

void Transfers::remember(napi_ref* kept, napi_value array) {
  if (*kept) {
    napi_value former = nullptr;
    bool same = false;
    if (napi_get_reference_value(env_, *kept, &former) == napi_ok && former) {
      napi_strict_equals(env_, former, array, &same);
    }
    if (same) {
      return;
    }
    napi_delete_reference(env_, *kept);
    *kept = nullptr;
  }
  napi_create_reference(env_, array, 0, kept);
}

}  // namespace fdevent::node
