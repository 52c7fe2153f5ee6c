import { notOffered } from './adapter.mjs'

export default {
  name: '@serialport/bindings-cpp Poller',
  module: '@serialport/bindings-cpp/dist/poller.js',
  load: ({ default: { Poller } }) => ({
    watch(fd, interest, listener) {
      if (interest === 'exceptional') throw notOffered(interest)
      const poller = new Poller(fd)
      poller.once(interest, (error) => (error ? listener(error) : listener(null, interest)))
      return {
        // In the order in which the package itself closes a port.
        stop() {
          poller.stop()
          poller.destroy()
        },
      }
    },
  }),
}
