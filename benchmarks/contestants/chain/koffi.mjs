export const module = 'koffi'

const READABLE = { readable: true }
// A handle that is collected stops.
const handles = []

function poll(koffi, fd, callback) {
  const handle = koffi.node.poll(fd, READABLE, callback)
  handles.push(handle)
  return handle
}

export function persistent({ reads, pass }, koffi) {
  reads.forEach((fd, i) => poll(koffi, fd, () => pass(i)))
}

export function promise({ reads, pass }, koffi) {
  const loop = async (fd, i) => {
    let arrived
    const onReadable = () => {
      handle.stop()
      arrived()
    }
    // One handle for all waits on a descriptor: the cheapest one-shot that the package allows.
    const handle = poll(koffi, fd, onReadable)
    handle.stop()
    const wait = () =>
      new Promise((resolve) => {
        arrived = resolve
        handle.start(READABLE, onReadable)
      })
    for (;;) {
      await wait()
      pass(i)
    }
  }
  reads.forEach((fd, i) => void loop(fd, i))
}
