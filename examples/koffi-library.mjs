// A C library with an event loop of its own, driven by Node's: libsystemd's sd-event, through koffi. Like many (libdbus,
// libudev, libpcap, ALSA, Wayland, X) it has a descriptor that is readable when there is something for it to do. So: wait
// for that, then let the library work. Nothing polls, and no thread blocks.
import { readable } from 'fdevent'
import koffi from 'koffi'

let library
try {
  library = koffi.load('libsystemd.so.0')
} catch {
  console.log('libsystemd is not installed here (Debian: libsystemd0)')
  process.exit()
}

const CLOCK_MONOTONIC = 1
koffi.opaque('sd_event')
koffi.opaque('sd_event_source')
koffi.proto('int on_time(sd_event_source *source, uint64_t usec, void *data)')
const sd = {
  new: library.func('int sd_event_new(_Out_ sd_event **event)'),
  getFd: library.func('int sd_event_get_fd(sd_event *event)'),
  addTime: library.func(
    'int sd_event_add_time_relative(sd_event *event, void *source, int clock, uint64_t usec, uint64_t accuracy, on_time *handler, void *data)',
  ),
  prepare: library.func('int sd_event_prepare(sd_event *event)'),
  wait: library.func('int sd_event_wait(sd_event *event, uint64_t usec)'),
  dispatch: library.func('int sd_event_dispatch(sd_event *event)'),
  unref: library.func('sd_event *sd_event_unref(sd_event *event)'),
}

const created = [null]
sd.new(created)
const event = created[0]
const fd = sd.getFd(event)
// Three timers of the library's, which call back into JavaScript from sd_event_dispatch().
const alarms = [0.15, 0.05, 0.1]
let left = alarms.length
const handlers = alarms.map((seconds) => {
  const ring = () => {
    console.log(`libsystemd's timer of ${seconds} s rang`)
    left -= 1
    return 0
  }
  const handler = koffi.register(ring, 'on_time *')
  sd.addTime(event, null, CLOCK_MONOTONIC, seconds * 1e6, 1, handler, null)
  return handler
})

while (left > 0) {
  // Above 0: there is something to do already.
  let ready = sd.prepare(event)
  if (ready === 0) {
    await readable(fd)
    ready = sd.wait(event, 0)
  }
  if (ready > 0) sd.dispatch(event)
}
console.log('all have rung')
sd.unref(event)
for (const handler of handlers) koffi.unregister(handler)
