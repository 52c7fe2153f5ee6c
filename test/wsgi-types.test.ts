/** What compiles is the test; `tsc -p test` runs it. */
import type { Selection } from 'fdevent'
import { type Application, type Body, type Environ, outcome, type Suspension, type WaitCall } from 'fdevent/wsgi'
import { expect, expectTypeOf, test } from 'vitest'

const chunks: Body[] = [
  ['a', new Uint8Array(1)],
  new Set(['a']),
  (function* () {
    yield 'a'
  })(),
  (async function* () {
    yield Buffer.from('a')
  })(),
]

test('types: bodies of every kind, and promises of them, are assignable', () => {
  const applications: Application[] = [
    () => [],
    () => ['a', Buffer.from('b')],
    async () => ['a'],
    () => new Set(['a']),
    function* () {},
    function* () {
      yield 'a'
      yield new Uint8Array(1)
    },
    async function* () {
      yield 'a'
    },
    async () =>
      (function* () {
        yield 'a'
      })(),
    // @ts-expect-error a string is no body
    () => 'a',
    // @ts-expect-error a buffer is no body
    () => Buffer.from('a'),
    // @ts-expect-error numbers are no chunks
    () => [1],
    // @ts-expect-error numbers are no chunks
    function* () {
      yield 1
    },
    // @ts-expect-error nothing is no body
    () => {},
  ]
  expect([applications.length, chunks.length]).toEqual([13, 4])
})

test('types: the value of a yield needs no cast', () => {
  const fd: number = Math.floor(0.5)
  const application: Application = function* (environ, startResponse) {
    const { 'x-wsgiorg.fdevent.readable': readable, 'fdevent.select': select } = environ
    const ready: boolean = yield readable(0, 1.0)
    const { readable: list }: Selection<number> = yield select([0], [1], [])
    const exact = yield* outcome(readable(0, 1.0))
    expectTypeOf(exact).toEqualTypeOf<boolean>()
    const lists = yield* outcome(select([fd], [{ fileno: () => 1 }], [], null))
    expectTypeOf(lists.readable).toEqualTypeOf<number[]>()
    expectTypeOf(lists.writable).toEqualTypeOf<{ fileno: () => number }[]>()
    const write = startResponse('200 OK', [['A', 'b']])
    write('x')
    startResponse('200 OK', new Map([['A', 'b']]), new Error('x'))
    yield `${ready} ${list.length}`
  }
  const asynchronous: Application = async function* (environ) {
    const ready: boolean = yield environ['awsgi.readable'](environ['awsgi.input'], null)
    yield String(ready)
  }
  expect([typeof application, typeof asynchronous]).toEqual(['function', 'function'])
})

test('types: the keys of environ', () => {
  expectTypeOf<Environ['x-wsgiorg.fdevent.readable']>().toEqualTypeOf<WaitCall>()
  expectTypeOf<ReturnType<WaitCall>>().toEqualTypeOf<Suspension<boolean>>()
  expectTypeOf<Suspension<boolean>>().toExtend<string>()
  expectTypeOf<Environ['HTTP_X_ANY']>().toEqualTypeOf<string | undefined>()
  expectTypeOf<Environ['fdevent.signal']>().toEqualTypeOf<AbortSignal>()
  expectTypeOf<Environ['x-wsgiorg.fdevent.timeout']['expired']>().toEqualTypeOf<boolean>()
  expectTypeOf<Environ['awsgi.timeout']>().toEqualTypeOf<boolean>()
  expectTypeOf<ReturnType<Environ['wsgi.input']['read']>>().toExtend<Uint8Array>()
  expectTypeOf<Environ['own.key']>().toEqualTypeOf<unknown>()
  // @ts-expect-error seconds are a number
  expect(() => ((environ: Environ) => environ['awsgi.readable'](0, '1'))({} as Environ)).toThrow()
})
