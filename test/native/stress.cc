// Random operations against a model of what the caller of a reactor may rely on.
// FDEVENT_SEED repeats a run, FDEVENT_STEPS sets its length.
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

#include "reactor_harness.h"
#include "stress_world.h"

namespace fdevent::test {
namespace {

using sys::monotonic_now;
using sys::Nanoseconds;

struct Modelled {
  enum class State {
    live,   // promised exactly one record
    muted,  // cancelled or closed after it had finished: its record may still pass by
    over,   // handed over; the slot is free after the next turn
  };

  State state = State::live;
  std::vector<sys::Probe> members;
  bool is_select = false;
  bool referenced = false;
  bool tampered = false;  // a descriptor of it was closed or replaced without a word
  bool was_ready = false;
  bool timed = false;
  Nanoseconds deadline = 0;

  bool concerns(int fd) const {
    return std::any_of(members.begin(), members.end(),
                       [fd](const sys::Probe& member) { return member.fd == fd; });
  }
  bool ready_now() const {
    return std::any_of(members.begin(), members.end(), [](const sys::Probe& member) {
      return World::present(member.fd, member.interest) != 0;
    });
  }
};

using State = Modelled::State;

class Stress {
 public:
  explicit Stress(unsigned seed) : random_(seed), world_(random_) {}

  void step() {
    const unsigned dice = below(100);
    if (dice < 30) {
      start();
    } else if (dice < 38) {
      select();
    } else if (dice < 46) {
      cancel();
    } else if (dice < 48) {
      close_announced();
    } else if (dice < 53) {
      tamper();
    } else if (dice < 75) {
      world_.stir();
    } else if (dice < 98) {
      turn(static_cast<int>(1 + below(5)));
    } else {
      settle();
    }
    watch();
    check_counts();
  }

  void finish() {
    settle();
    for (int fd = kFirstChosenFd; fd < kFirstChosenFd + World::kNumbers; ++fd) {
      announce_close(fd);
    }
    // What is left are selects without a member.
    for (Slot slot = some(State::live); slot != core::kNoSlot; slot = some(State::live)) {
      cancel(slot);
    }
    settle();
    turn(1);
    CHECK(waits_.empty());
    h_.check_idle();
    CHECK(h_.reactor.statistics().registered == 0);
  }

  int started = 0;
  int handed_over = 0;

 private:
  unsigned below(unsigned limit) { return world_.below(limit); }

  Interest interest() { return 1 + below(kInterestMask); }

  double timeout() {
    switch (below(8)) {
      case 0:
        return 0;
      case 1:
        return 1e-9;
      case 2:
        return 1e-4 * below(5);
      case 3:
        return 1e-3 * below(5);
      case 4:
        return 1000;
      default:
        return kForever;
    }
  }

  void start() {
    const int fd = world_.number();
    const Interest wanted = interest();
    const double seconds = timeout();
    const bool referenced = below(4) != 0;
    const Nanoseconds before = monotonic_now();
    const Slot slot = h_.start(fd, wanted, seconds, referenced);
    note(slot, {{fd, wanted, 0}}, false, seconds, referenced, before);
  }

  void select() {
    std::vector<sys::Probe> members;
    for (int fd = kFirstChosenFd; fd < kFirstChosenFd + World::kNumbers; ++fd) {
      if (below(3) == 0) {
        members.push_back({fd, interest(), 0});
      }
    }
    const double seconds = timeout();
    const Nanoseconds before = monotonic_now();
    const Slot slot = h_.select(members, seconds);
    note(slot, members, true, seconds, true, before);
  }

  void note(Slot slot, std::vector<sys::Probe> members, bool is_select, double seconds,
            bool referenced, Nanoseconds before) {
    if (slot < 0) {
      const bool all_open =
          std::all_of(members.begin(), members.end(),
                      [](const sys::Probe& member) { return fcntl(member.fd, F_GETFD) >= 0; });
      REQUIRE_FALSE(all_open);
      return;
    }
    REQUIRE(waits_.count(slot) == 0);
    Modelled& wait = waits_[slot];
    wait.members = std::move(members);
    wait.is_select = is_select;
    wait.referenced = referenced;
    wait.timed = seconds < 1e6;
    wait.deadline = wait.timed ? before + static_cast<Nanoseconds>(seconds * 1e9) : 0;
    ++started;
  }

  Slot some(State state) {
    std::vector<Slot> found;
    for (const auto& [slot, wait] : waits_) {
      if (wait.state == state) {
        found.push_back(slot);
      }
    }
    return found.empty() ? core::kNoSlot : found[below(static_cast<unsigned>(found.size()))];
  }

  void cancel() {
    const Slot slot = some(State::live);
    if (slot != core::kNoSlot) {
      cancel(slot);
    }
  }

  // Whether it had finished already shows in the count of waits.
  void cancel(Slot slot) {
    const int before = h_.reactor.statistics().waits;
    h_.reactor.cancel(slot);
    const int gone = before - h_.reactor.statistics().waits;
    REQUIRE((gone == 0 || gone == 1));
    silence(slot, gone == 1);
  }

  void silence(Slot slot, bool gone) {
    if (gone) {
      REQUIRE(waits_.erase(slot) == 1);
    } else if (waits_.at(slot).state == State::live) {
      waits_.at(slot).state = State::muted;
    }
  }

  void announce_close(int fd) {
    const int before = h_.reactor.statistics().waits;
    const std::vector<Slot> interrupted = h_.close(fd);
    const int gone = before - h_.reactor.statistics().waits;
    for (const auto& [slot, wait] : waits_) {
      if (wait.state == State::live && wait.concerns(fd)) {
        REQUIRE(std::count(interrupted.begin(), interrupted.end(), slot) == 1);
      }
    }
    for (size_t i = 0; i < interrupted.size(); ++i) {
      REQUIRE(waits_.count(interrupted[i]) == 1);
      REQUIRE(waits_.at(interrupted[i]).concerns(fd));
      silence(interrupted[i], static_cast<int>(i) < gone);
    }
  }

  void close_announced() {
    const int fd = world_.number();
    announce_close(fd);
    ::close(fd);
    if (below(4) != 0) {
      world_.replace(fd);
    }
  }

  void tamper() {
    const int fd = world_.number();
    if (below(4) == 0) {
      ::close(fd);
    } else {
      world_.replace(fd);
    }
    for (auto& [slot, wait] : waits_) {
      wait.tampered = wait.tampered || wait.concerns(fd);
    }
  }

  void turn(int capacity) {
    const Records records = h_.turn(capacity);
    for (auto it = waits_.begin(); it != waits_.end();) {
      it = it->second.state == State::over ? waits_.erase(it) : std::next(it);
    }
    for (const Record& record : records) {
      CAPTURE(record.slot);
      CAPTURE(record.outcome);
      CAPTURE(record.fd);
      REQUIRE(waits_.count(record.slot) == 1);
      Modelled& wait = waits_.at(record.slot);
      REQUIRE(wait.state != State::over);
      if (wait.state == State::live) {
        check_outcome(wait, record);
        ++handed_over;
      }
      wait.state = State::over;
    }
  }

  void check_outcome(const Modelled& wait, const Record& record) {
    CAPTURE(wait.is_select);
    CAPTURE(wait.tampered);
    if (wait.is_select && record.outcome >= 0) {
      REQUIRE(record.fd == -1);
      REQUIRE(h_.reactor.selection(record.slot)->size() == wait.members.size());
    } else {
      REQUIRE(wait.concerns(record.fd));
    }
    if (record.outcome == kTimedOut) {
      REQUIRE(wait.timed);
      REQUIRE(monotonic_now() >= wait.deadline);
    } else if (!wait.tampered) {
      REQUIRE(record.outcome == kReady);
      REQUIRE((wait.was_ready || wait.ready_now()));
    }
  }

  // After every change, because what was ready for a moment may be reported later.
  void watch() {
    for (auto& [slot, wait] : waits_) {
      if (wait.state == State::live && !wait.was_ready && !wait.tampered) {
        wait.was_ready = wait.ready_now();
      }
    }
  }

  // Nothing left to do: then no wait may have been forgotten.
  void settle() {
    int turns = 0;
    while (h_.wants_turn()) {
      REQUIRE(++turns < 10'000);
      turn(static_cast<int>(1 + below(64)));
    }
    for (const auto& [slot, wait] : waits_) {
      if (wait.state == State::live && !wait.tampered) {
        REQUIRE_FALSE(wait.ready_now());
      }
    }
  }

  void check_counts() {
    size_t referenced = 0;
    int waits = 0;
    int timed = 0;
    for (const auto& [slot, wait] : waits_) {
      referenced += wait.state == State::live && wait.referenced;
      waits += wait.state != State::over;
      timed += wait.state == State::live && wait.timed;
    }
    const core::Reactor::Statistics now = h_.reactor.statistics();
    REQUIRE(h_.reactor.referenced() == referenced);
    REQUIRE(now.waits == waits);
    REQUIRE(now.timed <= timed);
    REQUIRE(now.armed <= now.registered);
    REQUIRE(now.registered <= World::kNumbers);
  }

  std::mt19937 random_;
  Harness h_;
  World world_;
  std::map<Slot, Modelled> waits_;
};

unsigned from_environment(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

TEST_CASE("whatever a program does, each wait ends once and nothing is left over") {
  signal(SIGPIPE, SIG_IGN);
  const unsigned seed = from_environment("FDEVENT_SEED", std::random_device{}());
  const unsigned steps = from_environment("FDEVENT_STEPS", 40'000);
  std::printf("stress: FDEVENT_SEED=%u FDEVENT_STEPS=%u\n", seed, steps);
  std::fflush(stdout);
  Stress stress(seed);
  for (unsigned step = 0; step < steps; ++step) {
    CAPTURE(step);
    stress.step();
  }
  stress.finish();
  CHECK(stress.started > static_cast<int>(steps / 10));
  CHECK(stress.handed_over > static_cast<int>(steps / 20));
}

}  // namespace
}  // namespace fdevent::test
