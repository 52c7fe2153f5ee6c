// On a system that is not supported: importing works, and every call refuses by the same code. Needs `npm run build:ts` only.
import assert from 'node:assert/strict'
import process from 'node:process'

const supported = ['linux', 'darwin', 'freebsd', 'netbsd', 'openbsd']
assert.ok(!supported.includes(process.platform), `fdevent works on ${process.platform}; run this elsewhere`)

const refusal = { code: 'ERR_FDEVENT_PLATFORM', message: /epoll or kqueue/ }
const { Poller, readable, READABLE, select, watch, writable } = await import('fdevent')
const { AsyncFd, pipe } = await import('fdevent/io')
const { exited } = await import('fdevent/process')
const { gateway } = await import('fdevent/wsgi')

for (const call of [() => readable(0), () => writable(1), () => select([0], [], []), () => exited(process.pid)]) {
  await assert.rejects(call, refusal)
}
for (const call of [() => watch(0, READABLE, () => {}), () => new Poller(), () => pipe(), () => new AsyncFd(0)]) {
  assert.throws(call, refusal)
}
assert.equal(typeof gateway(() => []), 'function')
console.log(`refused politely on ${process.platform}`)
