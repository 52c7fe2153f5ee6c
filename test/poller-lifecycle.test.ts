import { closeSync, readdirSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { closing, HANGUP, platform, Poller, readable, READABLE } from 'fdevent'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { cpuSeconds, eventually } from './helpers/owned.js'
import * as parked from './helpers/parked.js'
import { report } from './helpers/run.js'
import { listening, poller as create } from './helpers/watching.js'

const { park, pipe, replace } = parked
const code = (value: string) => expect.objectContaining({ code: value })
const MODES = ['level', 'edge', 'oneshot'] as const
const openDescriptors = (): number => readdirSync('/proc/self/fd').length

function found(poller: Poller, timeout = 0): [number, number][] {
  const count = poller.wait(timeout)
  return Array.from({ length: count }, (_, i) => [poller.events[2 * i] as number, poller.events[2 * i + 1] as number])
}

/** Processor time of half a second in wait(); a spin takes all of it. */
const spent = (poller: Poller) =>
  cpuSeconds(async () => {
    expect(poller.wait(0.5)).toBe(0)
  })
const BUSY = 0.2

test('close() again is a no-op', () => {
  const poller = create()
  poller.close()
  poller.close()
  poller[Symbol.dispose]()
})

test('a poller is disposable', () => {
  const poller = create()
  poller[Symbol.dispose]()
  expect(() => poller.wait(0)).toThrow(code('EBADF'))
})

test('every use after close is EBADF', () => {
  const poller = create()
  const [r] = pipe()
  poller.add(r, READABLE)
  poller.close()
  const uses = [
    () => poller.add(r, READABLE),
    () => poller.modify(r, READABLE),
    () => poller.remove(r),
    () => poller.wait(0),
    () => poller.wait(),
    () => poller.notify(),
    () => poller.notifier,
    () => poller.fd,
  ]
  for (const use of uses) expect(use).toThrow(expect.objectContaining({ name: 'FdError', code: 'EBADF' }))
})

test('what was in events before close stays there', () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE)
  c.write(w)
  poller.wait(0)
  poller.close()
  expect([...poller.events.subarray(0, 2)]).toEqual([r, READABLE])
})

test('descriptors that were added stay open when the poller closes', () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE)
  poller.add(w, 0)
  poller.close()
  expect([c.isOpen(r), c.isOpen(w)]).toEqual([true, true])
})

test('2,000 pollers opened and closed leave no descriptor', async () => {
  expect(await report('pollers.mjs', ['leaks'])).toEqual({ left: 0 })
})

test('1,000 dropped pollers leave no descriptor', async () => {
  const nodeOptions = ['--expose-gc']
  expect(await report('pollers.mjs', ['collected leaks'], { nodeOptions })).toEqual({ left: 0 })
})

test('a dropped poller releases its descriptors', async () => {
  const before = openDescriptors()
  const drop = () => {
    for (let i = 0; i < 20; i += 1) new Poller().notify()
  }
  drop()
  // epoll and an eventfd; a kqueue and a pipe, at least.
  if (platform().backend === 'epoll') expect(openDescriptors()).toBe(before + 40)
  else expect(openDescriptors()).toBeGreaterThanOrEqual(before + 60)
  for (let i = 0; i < 50 && openDescriptors() > before; i += 1) {
    globalThis.gc?.()
    await setImmediate()
  }
  expect(openDescriptors()).toBe(before)
})

test('a poller that is open at the end of the process is no obstacle', async () => {
  expect(await report('pollers.mjs', ['open at exit'])).toBe('done')
})

test('pollers of terminated workers leave no descriptor', async () => {
  expect(await report('watch-workers.mjs', ['pollers'])).toEqual({ left: 0 })
})

test('its descriptors are close-on-exec', () => {
  const poller = create()
  poller.notify()
  for (const fd of [poller.fd, poller.notifier.waker]) expect(c.closesOnExec(fd)).toBe(true)
})

for (const mode of MODES) {
  test(`${mode}: a descriptor closed without a word is reported no more, and can be removed`, () => {
    const poller = create()
    const [r, w] = pipe()
    poller.add(r, READABLE, mode)
    c.close(r)
    c.close(w)
    expect(found(poller)).toEqual([])
    poller.remove(r)
    expect(() => poller.remove(r)).toThrow(code('ENOENT'))
  })

  test(`${mode}: modify of a descriptor closed without a word is ENOENT, and forgets it`, () => {
    const poller = create()
    const [r] = pipe()
    poller.add(r, READABLE, mode)
    c.close(r)
    expect(() => poller.modify(r, READABLE, mode)).toThrow(code('ENOENT'))
    expect(() => poller.remove(r)).toThrow(code('ENOENT'))
  })

  test(`${mode}: a number reused by another object can be removed, and added anew`, () => {
    const poller = create()
    const [r] = pipe()
    const [other, w] = pipe()
    poller.add(r, READABLE, mode)
    replace(r, other)
    c.write(w)
    expect(found(poller)).toEqual([])
    poller.remove(r)
    expect(() => poller.remove(r)).toThrow(code('ENOENT'))
    poller.add(r, READABLE, mode)
    expect(found(poller)).toEqual([[r, READABLE]])
  })

  test(`${mode}: a number reused by another object can be added without being removed`, () => {
    const poller = create()
    const [r] = pipe()
    const [other, w] = pipe()
    poller.add(r, READABLE, mode)
    replace(r, other)
    poller.add(r, READABLE, mode)
    expect(() => poller.add(r, READABLE, mode)).toThrow(code('EEXIST'))
    c.write(w)
    expect(found(poller)).toEqual([[r, READABLE]])
  })

  test(`${mode}: modify of a number reused by another object is ENOENT, and reports nothing`, () => {
    const poller = create()
    const [r] = pipe()
    const [other, w] = pipe()
    poller.add(r, READABLE, mode)
    replace(r, other)
    c.write(w)
    expect(() => poller.modify(r, READABLE, mode)).toThrow(code('ENOENT'))
    expect(found(poller)).toEqual([])
  })

  test(`${mode}: removed after its number was closed, with a duplicate that has data: never reported, no spin`, async () => {
    const poller = create()
    const [r, w] = pipe()
    park(c.dup(r))
    poller.add(r, READABLE, mode)
    c.close(r)
    poller.remove(r)
    c.write(w)
    expect(await spent(poller)).toBeLessThan(BUSY)
  })

  test(`${mode}: the old object's data, alive in a duplicate, is not reported for the number's new object`, async () => {
    const poller = create()
    const [r, w] = pipe()
    park(c.dup(r))
    const [other] = pipe()
    poller.add(r, READABLE, mode)
    replace(r, other)
    poller.remove(r)
    poller.add(r, READABLE, mode)
    c.write(w)
    expect(await spent(poller)).toBeLessThan(BUSY)
  })

  test(`${mode}: other descriptors are served before and after a stale registration is left behind`, () => {
    const poller = create()
    const [r, w] = pipe()
    park(c.dup(r))
    const [r2, w2] = pipe()
    poller.add(r, READABLE, mode)
    poller.add(r2, READABLE)
    c.close(r)
    poller.remove(r)
    for (let i = 0; i < 10; i += 1) {
      c.write(w)
      c.write(w2)
      expect(found(poller, 10)).toEqual([[r2, READABLE]])
      c.drain(r2)
      expect(found(poller)).toEqual([])
    }
  })
}

test('a level registration of a replaced number ends after few events of the old object', async () => {
  const poller = create()
  const [r, w] = pipe()
  park(c.dup(r))
  poller.add(r, READABLE)
  c.write(w)
  replace(r, pipe()[0])
  let events = 0
  while (events < 1000 && found(poller).length > 0) events += 1
  expect(events).toBeLessThanOrEqual(80)
  expect(await spent(poller)).toBeLessThan(BUSY)
  expect(() => poller.remove(r)).toThrow(code('ENOENT'))
})

test('a one-shot that was reported is not reported again when a stale registration is left behind', () => {
  const poller = create()
  const [r, w] = pipe()
  c.close(w)
  poller.add(r, READABLE, 'oneshot')
  expect(found(poller)).toEqual([[r, HANGUP]])
  const [r2, w2] = pipe()
  park(c.dup(r2))
  poller.add(r2, READABLE)
  c.close(r2)
  poller.remove(r2)
  c.write(w2)
  expect([found(poller), found(poller), found(poller)]).toEqual([[], [], []])
  poller.modify(r, READABLE, 'oneshot')
  expect(found(poller)).toEqual([[r, HANGUP]])
})

/** Has the poller leave a stale registration behind in its next wait(). */
function haunt(poller: Poller) {
  const [r, w] = pipe()
  park(c.dup(r))
  poller.add(r, READABLE)
  c.close(r)
  poller.remove(r)
  c.write(w)
}

test('a poller in another poller is still heard after it left a stale registration behind', () => {
  const [inner, outer] = [create(), create()]
  const [r, w] = pipe()
  inner.add(r, READABLE)
  outer.add(inner.fd, READABLE)
  haunt(inner)
  expect(found(inner)).toEqual([])
  expect(found(outer)).toEqual([])
  c.write(w)
  expect(found(outer)).toEqual([[inner.fd, READABLE]])
})

test('a poller under watch is still heard after it left a stale registration behind', async () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE)
  const events: [number, number][] = []
  const { told } = listening(poller.fd, READABLE, {}, () => {
    for (const event of found(poller)) events.push(event)
    c.drain(r)
  })
  haunt(poller)
  await eventually(() => told.length).toBeGreaterThan(0)
  c.write(w)
  await eventually(() => events).toEqual([[r, READABLE]])
})

test('a poller waited for by readable() is still heard after it left a stale registration behind', async () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE)
  const wait = readable(poller.fd, 3)
  haunt(poller)
  expect(await wait).toBe(true)
  const again = readable(poller.fd, 3)
  expect(found(poller)).toEqual([])
  c.write(w)
  expect(await again).toBe(true)
})

test('a number reused 500 times: each object is reported under it, and no other', () => {
  const poller = create()
  const number = park(c.eventfd())
  for (let i = 0; i < 500; i += 1) {
    const [r, w] = c.pipe()
    c.dup2(r, number)
    c.close(r)
    poller.add(number, READABLE, MODES[i % 3])
    expect(found(poller)).toEqual([])
    c.write(w)
    expect(found(poller)).toEqual([[number, READABLE]])
    if (i % 2) poller.remove(number)
    c.close(w)
  }
})

test('a poller whose own descriptor the program closed goes on, and does not crash', () => {
  const poller = create()
  closeSync(poller.fd)
  const [r, w] = parked.pipe()
  poller.add(r, READABLE)
  expect(poller.wait(0)).toBe(0)
  c.write(w)
  expect(found(poller)).toEqual([[r, READABLE]])
})

test('closing() of a descriptor leaves pollers alone', () => {
  const poller = create()
  const [r, w] = pipe()
  poller.add(r, READABLE)
  closing(r)
  c.write(w)
  expect(found(poller)).toEqual([[r, READABLE]])
})

test('arguments of the wrong type are ERR_INVALID_ARG_TYPE', () => {
  const poller = create()
  const [r] = pipe()
  const any = (value: unknown) => value as never
  for (const wrong of ['1', null, undefined, {}, true, 1n]) {
    expect(() => poller.add(any(wrong), READABLE)).toThrow(code('ERR_INVALID_ARG_TYPE'))
    expect(() => poller.add(r, any(wrong))).toThrow(code('ERR_INVALID_ARG_TYPE'))
    expect(() => poller.modify(any(wrong), READABLE)).toThrow(code('ERR_INVALID_ARG_TYPE'))
    expect(() => poller.remove(any(wrong))).toThrow(code('ERR_INVALID_ARG_TYPE'))
  }
  for (const mode of [1, {}, true]) {
    expect(() => poller.add(r, READABLE, any(mode))).toThrow(code('ERR_INVALID_ARG_TYPE'))
  }
  for (const options of [1, 'x', null, true]) {
    expect(() => new Poller(any(options))).toThrow(code('ERR_INVALID_ARG_TYPE'))
  }
  for (const capacity of ['1', null, {}, 1n]) {
    expect(() => new Poller({ capacity: any(capacity) })).toThrow(code('ERR_INVALID_ARG_TYPE'))
  }
  expect(() => poller.remove(r)).toThrow(code('ENOENT'))
})

test('arguments out of their range are ERR_OUT_OF_RANGE', () => {
  const poller = create()
  const [r] = pipe()
  for (const fd of [-1, 1.5, Number.NaN, 2 ** 31]) {
    expect(() => poller.add(fd, READABLE)).toThrow(code('ERR_OUT_OF_RANGE'))
    expect(() => poller.modify(fd, READABLE)).toThrow(code('ERR_OUT_OF_RANGE'))
    expect(() => poller.remove(fd)).toThrow(code('ERR_OUT_OF_RANGE'))
  }
  for (const interest of [32, -1, 1.5, Number.NaN, Infinity]) {
    expect(() => poller.add(r, interest)).toThrow(code('ERR_OUT_OF_RANGE'))
  }
  for (const mode of ['once', 'LEVEL', '']) {
    expect(() => poller.add(r, READABLE, mode as never)).toThrow(code('ERR_OUT_OF_RANGE'))
  }
  for (const capacity of [0, -1, 1.5, Number.NaN, 65_537, Infinity]) {
    expect(() => new Poller({ capacity })).toThrow(code('ERR_OUT_OF_RANGE'))
  }
  expect(() => poller.remove(r)).toThrow(code('ENOENT'))
})
