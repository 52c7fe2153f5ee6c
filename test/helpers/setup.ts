import { statistics } from 'fdevent'
import { afterEach, expect } from 'vitest'

// Whatever a test did, nothing of it waits any more when it is over.
afterEach(() => {
  const { waits, timed, armed } = statistics()
  expect({ waits, timed, armed }, 'waits left over by the test').toEqual({ waits: 0, timed: 0, armed: 0 })
})
