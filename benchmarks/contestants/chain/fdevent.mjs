import { Poller, READABLE, readable, watch } from 'fdevent'
import * as io from 'fdevent/io'

export function watchListener({ reads, pass, idle }) {
  reads.forEach((fd, i) => watch(fd, READABLE, () => pass(i)))
  for (const fd of idle) watch(fd, READABLE, () => {})
}

export function awaitReadable({ reads, pass, idle }, _module, timeout) {
  const loop = async (fd, i) => {
    for (;;) {
      await readable(fd, timeout)
      pass(i)
    }
  }
  reads.forEach((fd, i) => void loop(fd, i))
  for (const fd of idle) void readable(fd)
}

export function asyncFd({ reads, passOn, idle }, _module, timeout) {
  const loop = async (fd, i) => {
    const descriptor = new io.AsyncFd(fd)
    // A read that fills its buffer must be followed by another one, to find out that there is no more.
    const buffer = new Uint8Array(16)
    for (;;) {
      await descriptor.read(buffer, timeout)
      passOn(i)
    }
  }
  reads.forEach((fd, i) => void loop(fd, i))
  for (const fd of idle) void new io.AsyncFd(fd).readable()
}

export function poller({ reads, pass, idle }) {
  const poller = new Poller({ capacity: 512 })
  const { events } = poller
  const index = new Int32Array(Math.max(...reads) + 1)
  reads.forEach((fd, i) => {
    index[fd] = i
    poller.add(fd, READABLE)
  })
  for (const fd of idle) poller.add(fd, READABLE)
  setImmediate(() => {
    for (;;) {
      const count = poller.wait()
      for (let at = 0; at < 2 * count; at += 2) pass(index[events[at]])
    }
  })
}
