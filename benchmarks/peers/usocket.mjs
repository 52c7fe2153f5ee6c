import { notOffered } from './adapter.mjs'

export default {
  name: 'usocket',
  module: 'usocket',
  load: ({ default: { USocket } }) => ({
    watch(fd, interest, listener) {
      if (interest !== 'readable') throw notOffered(interest)
      const socket = new USocket({ fd })
      socket.once('error', listener)
      socket.once('readable', () => listener(null, 'readable'))
      // A stream asks its source for data only once somebody reads.
      socket.read(0)
      return { stop: () => socket.destroy() }
    },
    needs: 'socket',
    takesOver: true,
  }),
}
