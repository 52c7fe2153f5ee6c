import { notOffered } from './adapter.mjs'

export default {
  name: 'fdevent',
  module: '../../dist/index.js',
  load: ({ readable, writable, select, closing }) => ({
    watch(fd, interest, listener, { timeout } = {}) {
      const cancel = new AbortController()
      const options = { signal: cancel.signal }
      const start = {
        readable: () => readable(fd, timeout, options),
        writable: () => writable(fd, timeout, options),
        exceptional: () => select([], [], [fd], timeout, options).then(({ exceptional }) => exceptional.length > 0),
      }[interest]
      if (start === undefined) throw notOffered(interest)
      start().then(
        (ready) => listener(null, ready ? 'ready' : 'timed out'),
        (error) => error.name !== 'AbortError' && listener(error),
      )
      return { stop: () => cancel.abort() }
    },
    watchUnreferenced: (fd) => void readable(fd, null, { ref: false }),
    wait: (fd) => readable(fd),
    announceClose: closing,
    timeouts: true,
    priority: true,
  }),
}
