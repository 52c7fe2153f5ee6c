// How often to ask the kernel again before going back to libuv.
//
// What JavaScript did with a batch often makes the next descriptor ready at once: asking again
// costs one system call, a trip through libuv's loop costs several. Where nothing follows, asking
// again is a wasted call; so the habit grows with success and fades with failure.
#pragma once

namespace fdevent::node {

class Persistence {
 public:
  // The bound that keeps timers, immediates and libuv's other descriptors alive under a permanently
  // ready one. Measured in a chain of 100 socket pairs, more than 16 gains nothing.
  static constexpr int kMaxRounds = 16;

  // Called when libuv hands over.
  void begin() {
    rounds_ = 1;
    if (appetite_ == 0 && ++declined_ == kTrial) {
      declined_ = 0;
      appetite_ = 1;
    }
  }

  // After a batch: is it worth asking once more? `certain`: something waits already.
  bool again(bool certain) const {
    return rounds_ < kMaxRounds && (certain || rounds_ <= appetite_);
  }

  // What asking once more brought.
  void asked(bool found) {
    ++rounds_;
    appetite_ = found ? kMaxRounds : appetite_ / 2;
  }

 private:
  static constexpr int kTrial = 32;

  int appetite_ = kMaxRounds;
  int rounds_ = 1;
  int declined_ = 0;
};

}  // namespace fdevent::node
