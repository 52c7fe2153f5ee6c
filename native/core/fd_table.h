// What the library knows of each descriptor number: who waits on it, and how it stands with the
// kernel. Chunks, because numbers are dense near 0 but a program may hold one near RLIMIT_NOFILE.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "core/slots.h"

namespace fdevent::core {

struct Descriptor {
  Slot first = kNoSlot;  // its waits, in the order in which they came
  Slot last = kNoSlot;
  uint32_t generation = 0;  // of the registration; tells its events from those of a former one
  Interest armed = 0;       // what the kernel will report
  uint32_t levels = 0;      // level watches on the list
  uint8_t streak =
      0;  // events since the kernel was last asked whether the number still means the same
  backend::Trigger trigger = backend::Trigger::one_shot;
  bool registered = false;  // a hint: the kernel forgets a closed number without a word

  // An edge watch shares its registration with nobody: each call made for another wait would show
  // it the present state as if it were a new edge.
  bool exclusive = false;
  bool ambiguous = false;  // the number was found replaced once: see Registry::impostor

  bool waited() const { return first != kNoSlot; }
};

class FdTable {
 public:
  Descriptor* find(int fd) {
    const size_t chunk = static_cast<size_t>(fd) / kChunk;
    return chunk < chunks_.size() && chunks_[chunk]
               ? &(*chunks_[chunk])[static_cast<size_t>(fd) % kChunk]
               : nullptr;
  }

  // Pointers into the table stay valid for the table's life.
  Descriptor& at(int fd) {
    const size_t chunk = static_cast<size_t>(fd) / kChunk;
    if (chunk >= chunks_.size()) {
      chunks_.resize(chunk + 1);
    }
    if (!chunks_[chunk]) {
      chunks_[chunk] = std::make_unique<Chunk>();
    }
    return (*chunks_[chunk])[static_cast<size_t>(fd) % kChunk];
  }

  template <typename Visit>
  void each(Visit&& visit) {
    for (size_t chunk = 0; chunk < chunks_.size(); ++chunk) {
      for (size_t i = 0; chunks_[chunk] && i < kChunk; ++i) {
        visit(static_cast<int>(chunk * kChunk + i), (*chunks_[chunk])[i]);
      }
    }
  }

 private:
  static constexpr size_t kChunk = 256;
  using Chunk = std::array<Descriptor, kChunk>;
  std::vector<std::unique_ptr<Chunk>> chunks_;
};

}  // namespace fdevent::core
