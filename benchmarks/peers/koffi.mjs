import { getSystemErrorName } from 'node:util'
import { notOffered } from './adapter.mjs'

const INTERESTS = { readable: { readable: true }, writable: { writable: true } }

export default {
  name: 'koffi.node.poll',
  module: 'koffi',
  load: ({ default: koffi }) => ({
    watch(fd, interest, listener) {
      if (INTERESTS[interest] === undefined) throw notOffered(interest)
      const handle = koffi.node.poll(fd, INTERESTS[interest], (status, events) => {
        if (status < 0) listener(Object.assign(new Error('poll'), { code: getSystemErrorName(status) }))
        else
          listener(
            null,
            Object.keys(events)
              .filter((name) => events[name])
              .join('+'),
          )
      })
      return { stop: () => handle.close(), unref: () => handle.unref() }
    },
  }),
}
