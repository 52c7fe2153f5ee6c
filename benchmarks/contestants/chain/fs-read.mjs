import { read } from 'node:fs'

// On a non-blocking descriptor it does not wait at all: EAGAIN.
export const blocking = true

export function promise({ reads, passOn }) {
  const loop = async (fd, i) => {
    const buffer = Buffer.alloc(1)
    const wait = () =>
      new Promise((resolve, reject) => read(fd, buffer, 0, 1, null, (error) => (error ? reject(error) : resolve())))
    for (;;) {
      await wait()
      passOn(i)
    }
  }
  reads.forEach((fd, i) => void loop(fd, i))
}
