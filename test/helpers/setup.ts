import { statistics } from 'fdevent'
import { afterEach, expect } from 'vitest'

// Whatever a test did, nothing of it waits or watches any more when it is over.
afterEach(() => {
  const { waits, watches, streams, timed, armed } = statistics()
  expect({ waits, watches, streams, timed, armed }, 'left over by the test').toEqual({
    waits: 0,
    watches: 0,
    streams: 0,
    timed: 0,
    armed: 0,
  })
})
