import { notOffered } from './adapter.mjs'

export default {
  name: 'socketwatcher',
  module: 'socketwatcher',
  load: ({ default: { SocketWatcher } }) => ({
    watch(fd, interest, listener) {
      if (interest === 'exceptional') throw notOffered(interest)
      const watcher = new SocketWatcher()
      watcher.callback = (readable, writable) =>
        listener(null, [readable && 'readable', writable && 'writable'].filter(Boolean).join('+') || 'no event named')
      watcher.set(fd, interest === 'readable', interest === 'writable')
      watcher.start()
      return { stop: () => watcher.stop() }
    },
  }),
}
