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
#include "sys/plain_io.h"

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
  hold(&stream.last[0], nullptr);
  hold(&stream.last[1], nullptr);
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
  void* memory = nullptr;
  napi_get_typedarray_info(env_, array, nullptr, &operation.length, &memory, nullptr, nullptr);
  // Those who came before are served before.
  // With timeout 0 there is no event to wait for that might say more than was said so far.
  if (!reactor_->queued(stream, interest) &&
      (seconds == 0 || reactor_->promising(stream, interest))) {
    const Outcome outcome = transfer(&operation, memory);
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
  Reference** last = &streams_[static_cast<size_t>(stream)].last[writing];
  hold(last, refer(*last, array));
  hold(&kept.array, *last);
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
  size_t length = 0;
  void* memory = nullptr;
  // Looked up each time: between two attempts the program may have detached or resized the memory.
  if (napi_get_reference_value(env_, operation.array->ref, &array) != napi_ok || !array ||
      napi_get_typedarray_info(env_, array, nullptr, &length, &memory, nullptr, nullptr) !=
          napi_ok ||
      length < operation.length) {
    return core::failed(core::Syscall::wait, -EFAULT);
  }
  return transfer(&operation, memory);
}

Outcome Transfers::transfer(Operation* operation, void* memory) {
  auto* start = static_cast<uint8_t*>(memory);
  return operation->writing
             ? write_all(operation->stream, start, operation->length, &operation->done)
             : read_once(operation->stream, start, operation->length);
}

Outcome Transfers::read_once(Slot slot, uint8_t* start, size_t length) {
  const Stream& stream = entry(streams_, slot);
  const size_t wanted = std::min<size_t>(length, INT32_MAX - 1);
  int count = -EAGAIN;
  if (!stream.blocking || ready_now(stream.fd, POLLIN)) {
    count = sys::retry([&] {
      return stream.socket ? sys::recv(stream.fd, start, wanted, MSG_DONTWAIT)
                           : sys::read(stream.fd, start, wanted);
    });
  }
  if (count == -EAGAIN) {
    reactor_->disprove(slot, kReadable);
    return 0;
  }
  if (count < 0) {
    return core::failed(core::Syscall::read, count);
  }
  if (static_cast<size_t>(count) < wanted) {
    reactor_->came_short(slot);
  }
  return count + 1;
}

int Transfers::attempt_write(const Stream& stream, const uint8_t* start, size_t length) {
  if (stream.socket) {
    return sys::retry([&] { return sys::send(stream.fd, start, length, sys::kSilently); });
  }
  if (!stream.blocking) {
    return sys::retry([&] { return sys::write(stream.fd, start, length); });
  }
  if (!ready_now(stream.fd, POLLOUT)) {
    return -EAGAIN;
  }
  return sys::retry([&] { return sys::write(stream.fd, start, std::min(length, stream.piece)); });
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

Transfers::Reference* Transfers::refer(Reference* last, napi_value array) {
  napi_value former = nullptr;
  bool same = false;
  if (last && napi_get_reference_value(env_, last->ref, &former) == napi_ok && former) {
    napi_strict_equals(env_, former, array, &same);
  }
  if (same) {
    return last;
  }
  auto* fresh = new Reference{nullptr, 0};
  napi_create_reference(env_, array, 0, &fresh->ref);
  return fresh;
}

void Transfers::hold(Reference** place, Reference* reference) {
  if (*place == reference) {
    return;
  }
  if (reference) {
    ++reference->holders;
  }
  if (*place && --(*place)->holders == 0) {
    napi_delete_reference(env_, (*place)->ref);
    delete *place;
  }
  *place = reference;
}

}  // namespace fdevent::node
