import { AbortError, closing, FdError, type FdLike, fileno, readable, select, statistics, writable } from 'fdevent'
import { beforeEach, describe, expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { closedNumber, openPath, own, pipe, socketpair, turns, watched } from './helpers/owned.js'

const typeError = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
const rangeError = expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
const badDescriptor = expect.objectContaining({ name: 'FdError', code: 'EBADF' })

/** The three waits on one descriptor, by name; arguments of any type. */
const waits = {
  readable: (fd: unknown, timeout?: unknown, options?: unknown) =>
    readable(fd as FdLike, timeout as number, options as object),
  writable: (fd: unknown, timeout?: unknown, options?: unknown) =>
    writable(fd as FdLike, timeout as number, options as object),
  select: (fd: unknown, timeout?: unknown, options?: unknown) =>
    select([], [fd as FdLike], [], timeout as number, options as object),
}

const notDescriptors: [string, unknown][] = [
  ['a numeric string', '3'],
  ['an empty string', ''],
  ['null', null],
  ['undefined', undefined],
  ['a boolean', true],
  ['a bigint', 3n],
  ['a symbol', Symbol('fd')],
  ['an empty object', {}],
  ['an array', [3]],
  ['a function', () => 3],
  ['an object whose fd is a string', { fd: '3' }],
  ['an object whose fd is undefined', { fd: undefined }],
  ['an object whose fileno is no function', { fileno: 3 }],
  ['an object whose fileno() returns a string', { fileno: () => '3' }],
  ['an object without prototype', Object.create(null)],
]

const notInRange: [string, unknown][] = [
  ['-1', -1],
  ['-2', -2],
  ['1.5', 1.5],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['2^31', 2 ** 31],
  ['2^32, which would wrap to 0', 2 ** 32],
  ['2^53', 2 ** 53],
  ['an object whose fd is 1.5', { fd: 1.5 }],
  ['an object whose fd is NaN', { fd: Number.NaN }],
  ['an object whose fileno() returns 2^31', { fileno: () => 2 ** 31 }],
]

describe('fileno', () => {
  test.each(notDescriptors)('throws a TypeError for %s', (_name, value) => {
    expect(() => fileno(value as FdLike)).toThrow(typeError)
  })

  test.each(notInRange)('throws a RangeError for %s', (_name, value) => {
    expect(() => fileno(value as FdLike)).toThrow(rangeError)
  })

  test.each([0, 1, 1024, 2 ** 31 - 1])('returns %d as it is, open or not', (fd) => {
    expect(fileno(fd)).toBe(fd)
  })

  test('names what it was given', () => {
    expect(() => fileno('3' as unknown as FdLike)).toThrow(/"3"/)
    expect(() => fileno(1.5)).toThrow(/1\.5/)
  })

  test('lets what fileno() throws pass', () => {
    const reason = new Error('detached')
    const target = {
      fileno(): number {
        throw reason
      },
    }
    expect(() => fileno(target)).toThrow(reason)
  })
})

describe.each(Object.entries(waits))('%s', (name, wait) => {
  let fd: number
  let before: ReturnType<typeof statistics>
  beforeEach(() => {
    fd = c.eventfd()
    c.write(fd, new Uint8Array(BigUint64Array.of(2n ** 64n - 2n).buffer)) // not writable either, for a while
    before = statistics()
    return () => {
      expect(statistics(), 'what a rejected call left behind').toEqual(before)
      c.close(fd)
    }
  })

  test.each(notDescriptors)('rejects a descriptor that is %s with a TypeError', async (_name, value) => {
    await expect(wait(value, 1)).rejects.toEqual(typeError)
  })

  test.each(notInRange)('rejects a descriptor that is %s with a RangeError', async (_name, value) => {
    await expect(wait(value, 1)).rejects.toEqual(rangeError)
  })

  test.each([
    ['a string', '1'],
    ['a boolean', false],
    ['a bigint', 1n],
    ['a symbol', Symbol('timeout')],
    ['a function', () => 1],
  ])('rejects a timeout that is %s with a TypeError', async (_name, timeout) => {
    await expect(wait(fd, timeout)).rejects.toEqual(typeError)
  })

  test.each([-1, -1e-9, -Number.MIN_VALUE, Number.NEGATIVE_INFINITY, Number.NaN])(
    'rejects a timeout of %d with a RangeError',
    async (timeout) => {
      await expect(wait(fd, timeout)).rejects.toEqual(rangeError)
    },
  )

  test('rejects an object as timeout when options follow it', async () => {
    await expect(wait(fd, {}, {})).rejects.toEqual(typeError)
  })

  test('accepts a timeout of minus zero as zero', async () => {
    await expect(wait(own(c.eventfd()), -0)).resolves.toBeDefined()
  })

  test.each([
    ['a string', 'ref'],
    ['a number', 1],
    ['a boolean', true],
  ])('rejects options that are %s', async (_name, options) => {
    await expect(wait(fd, 1, options)).rejects.toEqual(typeError)
  })

  test.each([
    ['signal', { signal: {} }],
    ['signal', { signal: 'abort' }],
    ['signal', { signal: null }],
    ['signal', { signal: new AbortController() }],
    ['ref', { ref: 1 }],
    ['ref', { ref: null }],
    ['ref', { ref: 'false' }],
  ])('rejects an option %s of the wrong type: %o', async (_name, options) => {
    await expect(wait(fd, 1, options)).rejects.toEqual(typeError)
  })

  test.each([undefined, null, {}, { signal: undefined, ref: undefined }])(
    'takes %o for absent options',
    async (options) => {
      await expect(wait(own(c.eventfd()), 0, options)).resolves.toBeDefined()
    },
  )

  test('rejects a closed number with EBADF and says which', async () => {
    const closed = closedNumber()
    const error = await wait(closed, 1).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(FdError)
    expect(error).toMatchObject({ code: 'EBADF', errno: -9, fd: closed, syscall: expect.stringMatching(/./) })
    expect((error as Error).message).toContain('EBADF')
    expect((error as Error).message).toContain(String(closed))
  })

  test('rejects a closed number with EBADF also when it only polls', async () => {
    await expect(wait(closedNumber(), 0)).rejects.toEqual(badDescriptor)
  })

  test('rejects a closed number with EBADF also without a timeout', async () => {
    await expect(wait(closedNumber())).rejects.toEqual(badDescriptor)
  })

  test.each([999_983, 2 ** 31 - 1])('rejects %d, which never was open, with EBADF', async (never) => {
    await expect(wait(never, 1)).rejects.toEqual(badDescriptor)
    await expect(wait(never, 0)).rejects.toEqual(badDescriptor)
  })

  test('rejects with what an object threw instead of naming its descriptor', async () => {
    const reason = new Error('detached')
    const target = {
      get fd(): number {
        throw reason
      },
    }
    await expect(wait(target, 1)).rejects.toBe(reason)
  })

  test('throws nothing synchronously, whatever it is called with', async () => {
    const hostile: unknown[][] = [
      [],
      [null],
      ['x', 'y', 'z'],
      [-1, -1, -1],
      [fd, -1],
      [fd, 1, 1],
      [closedNumber()],
      [fd, 1, { signal: 1 }],
      [fd, 1, { signal: AbortSignal.abort() }],
      [
        fd,
        1,
        {
          get ref(): boolean {
            throw new Error('getter')
          },
        },
      ],
    ]
    for (const list of hostile) {
      const result = (wait as (...list: unknown[]) => unknown)(...list)
      expect(result, `${name}(${list.map(String).join(', ')})`).toBeInstanceOf(Promise)
      await expect(result).rejects.toBeInstanceOf(Error)
    }
  })

  test('a hundred failed calls on closed numbers leave nothing registered', async () => {
    const closed = closedNumber()
    const calls = Array.from({ length: 100 }, () => wait(closed, 1))
    expect(statistics()).toEqual(before)
    for (const { status } of await Promise.allSettled(calls)) expect(status).toBe('rejected')
    expect(statistics()).toEqual(before)
  })

  test('a wait rejected for its arguments leaves the descriptor usable', async () => {
    const [a, b] = socketpair()
    await expect(wait(a, -1)).rejects.toEqual(rangeError)
    const next = readable(a, 5)
    c.write(b)
    expect(await next).toBe(true)
    closing(a) // forgets the registration that a served wait leaves behind
  })
})

describe('options in second place', () => {
  test.each([
    ['readable', readable],
    ['writable', writable],
  ])('%s takes a signal there, and waits without end', async (_name, wait) => {
    const [, w] = pipe()
    c.fill(w)
    const controller = new AbortController()
    const reason = new Error('enough')
    const pending = wait(wait === readable ? own(c.eventfd()) : w, { signal: controller.signal })
    setTimeout(() => controller.abort(reason), 20)
    const error = await pending.catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(AbortError)
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason })
  })

  test.each([
    ['an array', [1]],
    ['a date', new Date(0)],
    ['a signal itself', new AbortController().signal],
  ])('%s is neither a timeout nor options', async (_name, value) => {
    const [r] = pipe()
    const wait = watched(readable(r, value as object))
    await turns(1)
    closing(r) // ends the wait that should not have begun
    await turns(1)
    expect(wait).toEqual({ state: 'rejected', reason: typeError })
  })

  test('they are validated as in third place', async () => {
    const [r] = pipe()
    await expect(readable(r, { ref: 1 } as unknown as object)).rejects.toEqual(typeError)
    await expect(writable(r, { signal: 1 } as unknown as object)).rejects.toEqual(typeError)
  })

  test('select does not accept them in place of its timeout', async () => {
    const [r] = pipe()
    await expect(select([r], [], [], {} as unknown as number)).rejects.toEqual(typeError)
  })
})

describe("select's lists", () => {
  test.each([
    ['a number', 3],
    ['null', null],
    ['undefined', undefined],
    ['an object that is not iterable', { 0: 3, length: 1 }],
  ])('are rejected when one is %s', async (_name, list) => {
    const [r] = pipe()
    const wrong = list as unknown as number[]
    await expect(select(wrong, [], [], 0)).rejects.toEqual(typeError)
    await expect(select([r], wrong, [], 0)).rejects.toEqual(typeError)
    await expect(select([r], [], wrong, 0)).rejects.toEqual(typeError)
  })

  test('reject with what their iterator throws', async () => {
    const reason = new Error('the list ended badly')
    const list = (function* (): Generator<number> {
      yield own(c.eventfd())
      throw reason
    })()
    await expect(select(list, [], [], 0)).rejects.toBe(reason)
  })

  test('reject a whole call for one member that is no descriptor', async () => {
    const [r] = pipe()
    await expect(select([r, 'x' as unknown as number], [], [], 0)).rejects.toEqual(typeError)
    await expect(select([r], [], [-1], 0)).rejects.toEqual(rangeError)
  })
})

describe('closing', () => {
  test.each(notDescriptors)('throws a TypeError for %s', (_name, value) => {
    expect(() => closing(value as FdLike)).toThrow(typeError)
  })

  test.each(notInRange)('throws a RangeError for %s', (_name, value) => {
    expect(() => closing(value as FdLike)).toThrow(rangeError)
  })

  test.each([
    ['a number nobody waits on', () => openPath('/dev/null', 'r')],
    ['a closed number', closedNumber],
    ['a number that never was open', () => 2 ** 31 - 1],
  ])('does nothing for %s', (_name, number) => {
    const before = statistics()
    expect(closing(number())).toBeUndefined()
    expect(statistics()).toEqual(before)
  })

  test('does nothing for an object that has no descriptor any more', () => {
    expect(closing({ fd: -1 })).toBeUndefined()
  })
})
