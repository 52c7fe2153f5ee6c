"""The ring of benchmarks/native/chain.c in Python: chain.py asyncio|uvloop|trio|gevent PAIRS ACTIVE EVENTS

Prints nanoseconds per event and of CPU time, after a first half as many events to warm up.
"""

import json
import os
import socket
import sys
import time

way = sys.argv[1]
pairs, active, events = map(int, sys.argv[2:5])

sockets = [socket.socketpair() for _ in range(pairs)]
for pair in sockets:
    for end in pair:
        end.setblocking(False)
reads = [pair[0].fileno() for pair in sockets]
entries = [pair[1].fileno() for pair in sockets]

fired = 0
mark = max(1, events // 2)
began = None
began_cpu = 0.0


def reach():
    global mark, began, began_cpu
    now, cpu = time.perf_counter(), time.process_time()
    if began is None:
        began, began_cpu = now, cpu
        mark += events
        return
    each = 1e9 / events
    print(json.dumps({"value": (now - began) * each, "cpu": (cpu - began_cpu) * each}), flush=True)
    # Not sys.exit(): an exception would have to find its way out of every loop there is.
    os._exit(0)


def pass_on(fd, target):
    global fired
    os.read(fd, 1)
    os.write(target, b"x")
    fired += 1
    if fired == mark:
        reach()


def start():
    for i in range(active):
        os.write(entries[i * pairs // active], b"x")


def links():
    return [(fd, entries[(i + 1) % pairs]) for i, fd in enumerate(reads)]


def with_readers(loop):
    for fd, target in links():
        loop.add_reader(fd, pass_on, fd, target)
    start()
    loop.run_forever()


def with_asyncio():
    import asyncio

    with_readers(asyncio.new_event_loop())


def with_uvloop():
    import uvloop

    with_readers(uvloop.new_event_loop())


def with_trio():
    import trio

    async def loop(fd, target):
        while True:
            await trio.lowlevel.wait_readable(fd)
            pass_on(fd, target)

    async def main():
        async with trio.open_nursery() as nursery:
            for fd, target in links():
                nursery.start_soon(loop, fd, target)
            start()

    trio.run(main)


def with_gevent():
    import gevent
    from gevent.hub import get_hub

    def loop(fd, target):
        # One watcher for all waits on a descriptor, as gevent's own sockets have it.
        hub = get_hub()
        watcher = hub.loop.io(fd, 1)
        while True:
            hub.wait(watcher)
            pass_on(fd, target)

    greenlets = [gevent.spawn(loop, fd, target) for fd, target in links()]
    gevent.sleep(0)
    start()
    gevent.joinall(greenlets)


{"asyncio": with_asyncio, "uvloop": with_uvloop, "trio": with_trio, "gevent": with_gevent}[way]()
