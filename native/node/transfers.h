// Reads and writes of streams, performed where the event arrives: data is in the caller's buffer
// before JavaScript runs, so a read costs one crossing.
#pragma once

#include <napi.h>

#include <vector>

#include "core/reactor.h"

namespace fdevent::node {

class Transfers : public core::Transfers {
 public:
  explicit Transfers(napi_env env) : env_(env) {}
  void connect(core::Reactor* reactor) { reactor_ = reactor; }

  // Learns how the stream's descriptor may be used without ever blocking the thread, and without
  // changing its flags.
  void open(core::Slot stream, int fd);

  // Reads into, or writes from, a Uint8Array. Returns
  //   >= 0          done at once: that many bytes
  //   <= kPending   kPending - slot: to be done
  //   otherwise     a failure
  // JavaScript keeps the array alive while it is to be done.
  static constexpr int32_t kPending = -(1 << 20);
  int32_t read(core::Slot stream, napi_value array, double seconds, bool referenced);
  int32_t write(core::Slot stream, napi_value array, double seconds, bool referenced);

  // How much of a write has gone.
  double progress(core::Slot slot) const;

  // A loop of transfers that never has to wait must come to an end of its turn, too.
  void begin_turn() { immediate_ = 0; }

  core::Outcome perform(core::Slot slot) override;

 private:
  static constexpr int kImmediate = 64;

  // Weak, and shared by the operations that use one array again and again: making a reference is dear.
  struct Reference {
    napi_ref ref;
    int holders;
  };
  struct Stream {
    int fd = -1;
    bool socket = false;    // MSG_DONTWAIT does it
    bool blocking = false;  // no O_NONBLOCK and no socket: ask poll(2) before every call
    size_t piece = 0;       // what a blocking one is given at a time
    Reference* last[2] = {nullptr, nullptr};  // the arrays last read into and written from
  };
  struct Operation {
    core::Slot stream = core::kNoSlot;
    bool writing = false;
    size_t length = 0;  // of the array when it was given
    size_t done = 0;
    Reference* array = nullptr;  // left in the slot until the next operation there
  };

  int32_t begin(core::Slot stream, napi_value array, bool writing, double seconds, bool referenced);
  int32_t finish(core::Outcome outcome, const Operation& operation, bool referenced);
  core::Outcome transfer(Operation* operation, void* memory);
  core::Outcome read_once(core::Slot stream, uint8_t* start, size_t length);
  core::Outcome write_all(core::Slot stream, const uint8_t* start, size_t length, size_t* done);
  int attempt_write(const Stream& stream, const uint8_t* start, size_t length);
  Reference* refer(Reference* last, napi_value array);
  void hold(Reference** place, Reference* reference);

  napi_env env_;
  core::Reactor* reactor_ = nullptr;
  std::vector<Stream> streams_;        // by slot
  std::vector<Operation> operations_;  // by slot; an entry counts while its wait does
  int immediate_ = 0;
};

}  // namespace fdevent::node
