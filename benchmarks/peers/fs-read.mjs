import { notOffered } from './adapter.mjs'

export default {
  name: 'fs.read',
  module: 'node:fs',
  load: ({ read }) => ({
    watch(fd, interest, listener) {
      if (interest !== 'readable') throw notOffered(interest)
      let stopped = false
      read(fd, Buffer.alloc(1), 0, 1, null, (error, length) => {
        if (stopped) return
        if (error) listener(error)
        else listener(null, length === 0 ? 'end of file' : 'read')
      })
      return {
        stop() {
          stopped = true
        },
      }
    },
    // On a non-blocking descriptor it does not wait at all: EAGAIN.
    needs: 'blocking',
    reads: true,
  }),
}
