// What the library knows of each descriptor number: who waits on it, and how it stands with the
// kernel. Chunks, because numbers are dense near 0 but a program may hold one near RLIMIT_NOFILE.
#pragma once

#include <array>
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
  backend::Trigger trigger = backend::Trigger::one_shot;
  bool registered = false;  // a hint: the kernel forgets a closed number without a word

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
  void each(Visit&& visit) const {
    for (const auto& chunk : chunks_) {
      if (chunk) {
        for (const Descriptor& descriptor : *chunk) {
          visit(descriptor);
        }
      }
    }
  }

 private:
  static constexpr size_t kChunk = 256;
  using Chunk = std::array<Descriptor, kChunk>;
  std::vector<std::unique_ptr<Chunk>> chunks_;
};

}  // namespace fdevent::core
