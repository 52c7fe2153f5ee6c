// Whether it is worth asking the kernel once more before going back.
//
// What JavaScript did with a batch often makes the next descriptor ready at once: asking again costs
// one system call, a trip through libuv's loop costs several. Where nothing follows, asking again is
// a wasted call; so the habit grows with success and fades with failure.
#pragma once

namespace fdevent::node {

class Habit {
 public:
  bool worth_asking() {
    if (trust_ > 0) {
      return true;
    }
    if (++declined_ < kTrial) {
      return false;
    }
    declined_ = 0;
    return true;
  }

  void asked(bool found) { trust_ = found ? kFullTrust : trust_ / 2; }

 private:
  static constexpr int kFullTrust = 16;
  static constexpr int kTrial = 32;

  int trust_ = kFullTrust;
  int declined_ = 0;
};

}  // namespace fdevent::node
