// Waits live in slots: a slot's index is the wait's name on both sides of the language border.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sys/readiness.h"

namespace fdevent::core {

using Slot = int32_t;
inline constexpr Slot kNoSlot = -1;

// A wait ends with its first answer; a watch is told again and again until it is cancelled; a
// stream keeps what it was told, for the waits attached to it.
struct Wait {
  enum class Kind : uint8_t { once, level, edge, stream, attached };
  enum class State : uint8_t {
    free,
    pending,    // may still become ready, time out or be cancelled
    completed,  // has its outcome, or is cancelled, and its record is still to be handed over
  };

  // Ends with its first answer: the one whose slot its record frees.
  bool ends() const { return kind == Kind::once || kind == Kind::attached; }
  bool is_watch() const { return kind == Kind::level || kind == Kind::edge; }

  int fd = -1;  // -1: the head of a select, which has members instead
  Interest interest = 0;
  Slot next =
      kNoSlot;  // the same descriptor's or stream's waits; in a free slot, the next free one
  Slot previous = kNoSlot;
  // A select's member: its head. An attached wait: its stream. A stream: the first wait attached to
  // it.
  Slot owner = kNoSlot;
  // A watch: what is reported and not yet handed over. A stream: what may still be so since it was
  // reported.
  Readiness ready = 0;
  Kind kind = Kind::once;
  State state = State::free;
  uint8_t lane = 0;         // the registry that it is with
  uint8_t records = 0;      // a watch: how many are on their way
  uint8_t shorts = 0;       // a stream: reads in a row that got less than they asked for
  bool listed = false;      // on its descriptor's list
  bool referenced = false;  // keeps the event loop alive
  bool abandoned = false;   // completed, and cancelled before its record was handed over
  bool transfers = false;   // attached: has something to read or write as soon as it can
};

class Slots {
 public:
  Wait& operator[](Slot slot) { return waits_[static_cast<size_t>(slot)]; }
  const Wait& operator[](Slot slot) const { return waits_[static_cast<size_t>(slot)]; }

  bool within(Slot slot) const { return slot >= 0 && static_cast<size_t>(slot) < waits_.size(); }
  bool holds(Slot slot) const { return within(slot) && (*this)[slot].state != Wait::State::free; }

  // References into the table do not survive this call.
  Slot take() {
    ++used_;
    if (first_free_ == kNoSlot) {
      waits_.emplace_back();
      return static_cast<Slot>(waits_.size() - 1);
    }
    const Slot slot = first_free_;
    first_free_ = (*this)[slot].next;
    (*this)[slot].next = kNoSlot;
    return slot;
  }

  void release(Slot slot) {
    (*this)[slot] = Wait{};
    --used_;
    if (used_ == 0 && waits_.size() > kKept) {
      // A burst is over: give its memory back.
      waits_ = {};
      first_free_ = kNoSlot;
      return;
    }
    (*this)[slot].next = first_free_;
    first_free_ = slot;
  }

  size_t used() const { return used_; }

 private:
  static constexpr size_t kKept = 1024;

  std::vector<Wait> waits_;
  Slot first_free_ = kNoSlot;
  size_t used_ = 0;
};

}  // namespace fdevent::core
