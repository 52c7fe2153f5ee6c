import { notOffered } from './adapter.mjs'

export default {
  name: 'net.Socket',
  module: 'node:net',
  load: ({ Socket }) => ({
    watch(fd, interest, listener) {
      if (interest !== 'readable') throw notOffered(interest)
      const socket = new Socket({ fd, readable: true, writable: false })
      socket.once('error', listener)
      socket.once('readable', () => listener(null, 'readable'))
      return { stop: () => socket.destroy(), unref: () => socket.unref() }
    },
    takesOver: true,
  }),
}
