// The descriptors of the stress test: a few fixed numbers, and the open files that come and go
// under them while other names keep some of those files alive.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <random>
#include <vector>

#include "support.h"
#include "sys/probe.h"

namespace fdevent::test {

inline unsigned from_environment(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

class World {
 public:
  static constexpr int kNumbers = 8;
  static constexpr size_t kObjects = 10;

  explicit World(std::mt19937& random) : random_(random), objects_(kObjects) {
    for (Object& object : objects_) {
      object = make();
    }
    for (int fd = kFirstChosenFd; fd < kFirstChosenFd + kNumbers; ++fd) {
      replace(fd);
    }
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() {
    for (int fd = kFirstChosenFd; fd < kFirstChosenFd + kNumbers; ++fd) {
      ::close(fd);
    }
  }

  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  int number() { return kFirstChosenFd + static_cast<int>(below(kNumbers)); }

  // What poll(2) reports of a descriptor; nothing for a number that is not open.
  static Readiness state(int fd, Interest interest) {
    const int ready = sys::probe(fd, interest);
    return ready < 0 ? 0 : static_cast<Readiness>(ready);
  }
  // What of `interest` select(2) would report.
  static Interest present(int fd, Interest interest) {
    return selected(state(fd, interest), interest);
  }
  static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }
  static bool is_file(int fd) {
    struct stat status {};
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  }

  // Puts some open file on the number, sometimes one that was there before.
  void replace(int fd) { put(pick().self, fd); }

  // Changes what some descriptors are ready for.
  void stir() {
    Object& object = pick();
    switch (below(8)) {
      case 0:
      case 1:
      case 2:
        send_to(object);
        break;
      case 3:
      case 4:
        drain(object.self.get());
        break;
      case 5:
        fill_sometimes(object);
        break;
      case 6:
        if (object.peer) {
          drain(object.peer.get());
        }
        break;
      default:
        below(4) == 0 ? object.peer.reset() : static_cast<void>(object = make());
    }
  }

 private:
  struct Object {
    UniqueFd self;
    UniqueFd peer;
    bool file = false;
  };

  Object& pick() { return objects_[below(kObjects)]; }

  Object make() {
    Object object;
    Pair pair;
    switch (below(8)) {
      case 0:
        object.self = make_file();
        object.file = true;
        return object;
      case 1:
        if (kLibkqueue) {  // which tells objects apart by their inodes, and all eventfds share one
          pair = make_sockets();
          break;
        }
        object.self = make_eventfd(below(2));
        return object;
      case 2:
      case 3:
        pair = make_pipe();
        return {std::move(pair.second), std::move(pair.first), false};
      case 4:
      case 5:
        pair = make_pipe();
        break;
      default:
        pair = make_sockets();
    }
    return {std::move(pair.first), std::move(pair.second), false};
  }

  static void send_to(const Object& object) {
    const uint64_t one = 1;
    const int to = object.peer ? object.peer.get() : object.self.get();
    if (!object.file) {
      // A broken pipe or the wrong end of one is as good as no change.
      static_cast<void>(!::write(to, &one, sizeof one));
    }
  }

  void fill_sometimes(const Object& object) {
    if (object.peer && below(2) == 0) {
      fill(object.self.get());
    }
  }

  std::mt19937& random_;
  std::vector<Object> objects_;
};

}  // namespace fdevent::test
