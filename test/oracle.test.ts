import { constants, openSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { closing, readable, select, statistics, writable } from 'fdevent'
import { expect, test } from 'vitest'
import * as c from './helpers/libc.js'
import { temporaryDirectory, type Watched, watched } from './helpers/owned.js'

// To repeat a failed run: FDEVENT_SEED=<the seed in the test's name>, and FDEVENT_RUNS for a longer one.
const seed = Number(process.env.FDEVENT_SEED ?? Date.now() % 2 ** 31)
const runs = Number(process.env.FDEVENT_RUNS ?? 250)

/** Time enough for a wait that has to be served. */
const PATIENCE = 5000

type Kind = 'pipe' | 'unix' | 'dgram' | 'tcp' | 'udp' | 'fifo' | 'pty' | 'eventfd' | 'file' | 'listener' | 'unconnected'

interface State {
  readable: boolean
  writable: boolean
  exceptional: boolean
}

interface Wait extends Watched<unknown> {
  fd: number
  kind: 'readable' | 'writable' | 'select'
  ready: (state: State) => boolean
  /** The oracle has called it ready at some time. */
  wasReady: boolean
}

interface Model {
  fds: number[]
  waits: Wait[]
  /** Waits on descriptors that were closed with closing(). */
  ended: Wait[]
  ports: Map<number, number>
  /** The kernel makes room in a pty's output without waking who waits for it: select(2) and epoll sleep on. */
  unannounced: Set<number>
  directory: string
}

const flags = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK

function create(kind: Kind, model: Model): number[] {
  switch (kind) {
    case 'pipe':
      return c.pipe()
    case 'unix':
      return c.socketpair()
    case 'dgram':
      return c.socketpair('dgram')
    case 'tcp':
      return c.tcpPair()
    case 'udp': {
      const [a, b] = [c.udpSocket(), c.udpSocket()]
      c.connect(a.fd, b.port)
      c.connect(b.fd, a.port)
      return [a.fd, b.fd]
    }
    case 'fifo': {
      const path = join(model.directory, `fifo${model.fds.length}`)
      c.mkfifo(path)
      return [openSync(path, flags), openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)]
    }
    case 'pty': {
      const { master, slavePath } = c.pty()
      const slave = openSync(slavePath, flags)
      model.unannounced.add(master).add(slave)
      return [master, slave]
    }
    case 'eventfd':
      return [c.eventfd()]
    case 'file': {
      const path = join(model.directory, 'file')
      writeFileSync(path, 'content')
      return [openSync(path, constants.O_RDWR)]
    }
    case 'listener': {
      const { fd, port } = c.tcpListener()
      model.ports.set(fd, port)
      return [fd]
    }
    case 'unconnected':
      return [c.tcpSocket()]
  }
}

function stateOf(fd: number): State {
  const { readable, writable, exceptional } = c.select([fd], [fd], [fd])
  return { readable: readable.length > 0, writable: writable.length > 0, exceptional: exceptional.length > 0 }
}

function observe(model: Model): void {
  for (const wait of model.waits) wait.wasReady ||= wait.ready(stateOf(wait.fd))
}

const forReading = (state: State): boolean => state.readable || state.exceptional
const forWriting = (state: State): boolean => state.writable || state.exceptional
const forAny = (state: State): boolean => state.readable || state.writable || state.exceptional

function start(model: Model, fd: number, kind: Wait['kind']): void {
  const ready = { readable: forReading, writable: forWriting, select: forAny }[kind]
  const promise = { readable, writable, select: (only: number) => select([only], [only], [only]) }[kind](fd)
  const wait = Object.assign(watched(promise as Promise<unknown>), { fd, kind, ready, wasReady: false })
  model.waits.push(wait)
}

/** Closing numbers that nobody waits on goes without a word: the library has to find out by itself. */
function closeOne(model: Model, fd: number): void {
  const concerned = model.waits.filter((wait) => wait.fd === fd)
  if (concerned.length > 0) closing(fd)
  model.ended.push(...concerned)
  c.close(fd)
  model.fds.splice(model.fds.indexOf(fd), 1)
  model.unannounced.delete(fd)
  model.waits = model.waits.filter((wait) => wait.fd !== fd)
}

const operations: Record<string, (model: Model, fd: number) => void | Promise<void>> = {
  write: (_model, fd) => void c.write(fd, 'some data\n'),
  writeEight: (_model, fd) => void c.write(fd, new Uint8Array(BigUint64Array.of(1n).buffer)),
  fill: (_model, fd) => void fillSome(fd),
  read: (_model, fd) => void c.read(fd, 8),
  drain: (_model, fd) => void drainSome(fd),
  shutdownRead: (_model, fd) => c.shutdown(fd, 'read'),
  shutdownWrite: (_model, fd) => c.shutdown(fd, 'write'),
  outOfBand: (_model, fd) => c.sendOutOfBand(fd),
  takeOutOfBand: (_model, fd) => void c.recvOutOfBand(fd),
  resetOnClose: (_model, fd) => c.resetOnClose(fd),
  takeError: (_model, fd) => void c.socketError(fd),
  close: (model, fd) => closeOne(model, fd),
  duplicate: (model, fd) => {
    const duplicate = c.dup(fd)
    model.fds.push(duplicate)
    if (model.unannounced.has(fd)) model.unannounced.add(duplicate)
  },
  connect: (model, fd) => {
    const client = c.tcpSocket()
    model.fds.push(client)
    c.connect(client, model.ports.get(fd) ?? 1)
  },
  accept: (model, fd) => void model.fds.push(c.accept(fd)),
  open: (model) => void model.fds.push(...c.pipe()),
  waitReadable: (model, fd) => start(model, fd, 'readable'),
  waitWritable: (model, fd) => start(model, fd, 'writable'),
  waitSelect: (model, fd) => start(model, fd, 'select'),
  pause: async () => void (await sleep(1)),
}

// Regular files and eventfds take or give without end, or as long as there is room.
function fillSome(fd: number): void {
  const block = new Uint8Array(65_536)
  for (let i = 0; i < 200 && c.write(fd, block) !== null; i += 1);
  for (let i = 0; i < 200 && c.write(fd, block.subarray(0, 64)) !== null; i += 1);
}
function drainSome(fd: number): void {
  for (let i = 0; i < 400; i += 1) {
    const data = c.read(fd)
    if (data === null || data.length === 0) return
  }
}

/** Numbers of operations that this kind of descriptor, in this state, does not have. */
const REFUSALS =
  /^(?:EAGAIN|EBADF|EINVAL|ENOTSOCK|ENOTCONN|EOPNOTSUPP|ENOTSUP|EPIPE|ECONNRESET|ECONNREFUSED|EIO|EDESTADDRREQ|EMSGSIZE|EISCONN|EISDIR|ESPIPE|EALREADY|ENOBUFS|EFAULT)$/

async function perform(model: Model, name: string, at: number): Promise<void> {
  if (model.fds.length === 0) return
  try {
    await (operations[name] as (model: Model, fd: number) => unknown)(model, model.fds[at % model.fds.length] as number)
  } catch (error) {
    if (!REFUSALS.test((error as { code?: string }).code ?? '')) throw error
  }
}

/** The library's answer lies between the oracle's answers before and after it: the kernel works on by itself. */
async function compare(what: string, fd: number, oracle: () => boolean, answer: () => Promise<boolean>): Promise<void> {
  const before = oracle()
  const actual = await answer()
  const after = oracle()
  if (before === after) expect(actual, `${what} of ${fd}`).toBe(before)
}

async function check(model: Model): Promise<void> {
  for (const fd of [...new Set(model.fds)]) {
    for (const seconds of [0, 0.001]) {
      const reading = () => readable(fd, seconds)
      await compare(`readable(${seconds})`, fd, () => forReading(stateOf(fd)), reading)
      await compare(
        `writable(${seconds})`,
        fd,
        () => forWriting(stateOf(fd)),
        () => writable(fd, seconds),
      )
    }
  }
  for (const seconds of [0, 0.001]) {
    const before = c.select(model.fds, model.fds, model.fds)
    const actual = await select(model.fds, model.fds, model.fds, seconds)
    const after = c.select(model.fds, model.fds, model.fds)
    if (JSON.stringify(before) === JSON.stringify(after)) expect(actual, `select(${seconds})`).toEqual(before)
  }
}

/** Waits that began before the operations: served if ready now, and not served if never ready. */
async function checkWaits(model: Model): Promise<void> {
  for (const wait of model.ended) {
    const what = `${wait.kind} of ${wait.fd}, closed`
    expect(wait.state, what).toBe(wait.reason === undefined ? 'resolved' : 'rejected')
    if (wait.reason === undefined) expect(wait.wasReady, what).toBe(true)
    else expect(wait.reason, what).toMatchObject({ name: 'FdError', code: 'EBADF', fd: wait.fd })
  }
  for (const wait of model.waits) {
    const patience = model.unannounced.has(wait.fd) && wait.kind !== 'readable' ? 0 : PATIENCE
    const end = performance.now() + patience
    let now = wait.ready(stateOf(wait.fd))
    while (now && wait.state === 'pending' && performance.now() < end) {
      await sleep(1)
      now = wait.ready(stateOf(wait.fd))
    }
    const what = `${wait.kind} of ${wait.fd}, ready ${now ? 'now' : wait.wasReady ? 'before' : 'never'}`
    expect(wait.state, what).not.toBe('rejected')
    if (now && patience > 0) expect(wait.state, what).toBe('resolved')
    if (!now && !wait.wasReady) expect(wait.state, what).toBe('pending')
    if (wait.state === 'resolved' && wait.kind !== 'select') expect(wait.value, what).toBe(true)
  }
}

const kinds = fc.constantFrom<Kind>(
  ...(['pipe', 'unix', 'dgram', 'tcp', 'udp', 'fifo', 'pty', 'eventfd', 'file', 'listener', 'unconnected'] as const),
)
const step = fc.tuple(fc.constantFrom(...Object.keys(operations)), fc.nat({ max: 15 }))

test(
  `every wait agrees with select(2), whatever was done to its descriptor (seed ${seed})`,
  {
    timeout: 120_000,
  },
  async () => {
    const directory = temporaryDirectory()
    const property = fc.asyncProperty(
      fc.array(kinds, { minLength: 1, maxLength: 4 }),
      fc.array(step, { maxLength: 30 }),
      async (opened, steps) => {
        const model: Model = { fds: [], waits: [], ended: [], ports: new Map(), unannounced: new Set(), directory }
        try {
          for (const kind of opened) model.fds.push(...create(kind, model))
          for (const [name, at] of steps) {
            await perform(model, name, at)
            observe(model)
          }
          await sleep(2)
          observe(model)
          await checkWaits(model)
          await check(model)
        } finally {
          for (const fd of [...model.fds]) {
            closing(fd)
            closeOne(model, fd)
          }
          for (const name of readdirSync(directory)) unlinkSync(join(directory, name))
        }
        expect(statistics()).toMatchObject({ waits: 0, timed: 0, armed: 0 })
      },
    )
    await fc.assert(property, { seed, numRuns: runs })
  },
)
