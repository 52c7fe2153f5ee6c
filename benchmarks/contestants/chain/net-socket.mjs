import { Socket } from 'node:net'

const open = (fd) => new Socket({ fd, readable: true, writable: false })

export function data({ reads, passOn }) {
  reads.forEach((fd, i) => open(fd).on('data', () => passOn(i)))
}

export function promise({ reads, passOn }) {
  const loop = async (fd, i) => {
    const socket = open(fd)
    const wait = () => new Promise((resolve) => socket.once('readable', resolve))
    for (;;) {
      await wait()
      while (socket.read() !== null) passOn(i)
    }
  }
  reads.forEach((fd, i) => void loop(fd, i))
}
