/* The floor of the wake-up: two threads wake each other in turn through an eventfd in an epoll instance.
 *
 *   wakeup TRIPS        prints nanoseconds per round trip */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 2000 };

struct side {
  int poller;
  int waker;
};

static struct side sides[2];
static long trips;

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void open_side(struct side* side) {
  side->poller = epoll_create1(EPOLL_CLOEXEC);
  side->waker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  /* Edge-triggered: nobody has to read the counter away. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  if (side->poller < 0 || side->waker < 0 || epoll_ctl(side->poller, EPOLL_CTL_ADD, side->waker, &event)) {
    fail("setup");
  }
}

static void wake(const struct side* side) {
  const uint64_t one = 1;
  if (write(side->waker, &one, sizeof one) != sizeof one) {
    fail("write");
  }
}

static void wait_for_wake(const struct side* side) {
  struct epoll_event event;
  if (epoll_wait(side->poller, &event, 1, -1) != 1) {
    fail("epoll_wait");
  }
}

static void* answer(void* unused) {
  for (long i = 0; i < WARM_UP + trips; i++) {
    wait_for_wake(&sides[1]);
    wake(&sides[0]);
  }
  return unused;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: wakeup TRIPS\n");
    return 2;
  }
  trips = atol(argv[1]);
  open_side(&sides[0]);
  open_side(&sides[1]);
  pthread_t thread;
  if (pthread_create(&thread, NULL, answer, NULL)) {
    fail("pthread_create");
  }
  double start = 0;
  for (long i = 0; i < WARM_UP + trips; i++) {
    if (i == WARM_UP) {
      start = now();
    }
    wake(&sides[1]);
    wait_for_wake(&sides[0]);
  }
  printf("%.1f\n", (now() - start) / (double)trips);
  pthread_join(thread, NULL);
  return 0;
}
