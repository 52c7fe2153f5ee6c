/* The floor of every chart: events passed along a ring of socket pairs, with epoll and nothing else. The shape is that of
 * libevent's bench.c: `pairs` socket pairs, `active` bytes travelling at once, `events` reads in all.
 *
 *   chain PAIRS ACTIVE EVENTS level|oneshot [IDLE [THREADS]]        prints nanoseconds per event, and of CPU time
 *
 * "oneshot" re-arms each descriptor with EPOLL_CTL_MOD after its event, as a wait by promise must. IDLE descriptors are
 * registered beside the ring and never become ready. THREADS sleep beside it, as some do in every process of Node: the
 * kernel then counts references to each file that a call names, and libc makes each call a cancellation point. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 512 };

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double cpu(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void* sleep_forever(void* unused) {
  pause();
  return unused;
}

int main(int argc, char** argv) {
  if (argc < 5 || argc > 7) {
    fprintf(stderr, "usage: chain PAIRS ACTIVE EVENTS level|oneshot [IDLE [THREADS]]\n");
    return 2;
  }
  const long pairs = atol(argv[1]);
  const long active = atol(argv[2]);
  const long events = atol(argv[3]);
  const int oneshot = strcmp(argv[4], "oneshot") == 0;
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  int(*ends)[2] = calloc((size_t)pairs, sizeof *ends);
  if (poller < 0 || !ends || pairs < 1 || active < 1 || active > pairs) {
    fail("setup");
  }
  struct epoll_event event = {.events = EPOLLIN | (oneshot ? EPOLLONESHOT : 0)};
  for (long i = 0; i < pairs; i++) {
    event.data.u64 = (unsigned long)i;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends[i]) ||
        epoll_ctl(poller, EPOLL_CTL_ADD, ends[i][0], &event)) {
      fail("socketpair");
    }
  }
  for (long i = argc > 5 ? atol(argv[5]) / 2 : 0; i > 0; i--) {
    int idle[2];
    event.data.u64 = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, idle) ||
        epoll_ctl(poller, EPOLL_CTL_ADD, idle[0], &event) ||
        epoll_ctl(poller, EPOLL_CTL_ADD, idle[1], &event)) {
      fail("idle socketpair");
    }
  }
  for (long i = argc > 6 ? atol(argv[6]) : 0; i > 0; i--) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, sleep_forever, NULL)) {
      fail("pthread_create");
    }
  }
  char byte = 'x';
  const double start = now();
  const double start_cpu = cpu();
  for (long i = 0; i < active; i++) {
    if (write(ends[i * pairs / active][1], &byte, 1) != 1) {
      fail("write");
    }
  }
  struct epoll_event batch[BATCH];
  for (long fired = 0; fired < events;) {
    const int count = epoll_wait(poller, batch, BATCH, -1);
    for (int i = 0; i < count; i++) {
      const unsigned long at = batch[i].data.u64;
      if (read(ends[at][0], &byte, 1) != 1 ||
          write(ends[(at + 1) % (unsigned long)pairs][1], &byte, 1) != 1) {
        fail("pass on");
      }
      if (oneshot) {
        event.data.u64 = at;
        if (epoll_ctl(poller, EPOLL_CTL_MOD, ends[at][0], &event)) {
          fail("epoll_ctl");
        }
      }
      fired++;
    }
  }
  printf("{\"value\":%.1f,\"cpu\":%.1f}\n", (now() - start) / (double)events,
         (cpu() - start_cpu) / (double)events);
  return 0;
}
