// What the cases share. Nothing here or in a case belongs to one runtime: Node, Bun and Deno run the same files.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { close, pipe, read, socketpair, write } from '../../dist/io/index.js'

export const runtime = process.versions.bun ? 'bun' : process.versions.deno ? 'deno' : 'node'

const owned = new Set()
const own = (fds) => {
  for (const fd of fds) owned.add(fd)
  return fds
}
export const makePipe = () => own(pipe())
export const makeSockets = () => own(socketpair())
export function closeOwned(fd) {
  owned.delete(fd)
  close(fd)
}
export function closeAll() {
  for (const fd of owned) closeOwned(fd)
}

const BYTE = new Uint8Array(1)
export const put = (fd) => assert.equal(write(fd, BYTE), 1)
export const take = (fd) => assert.equal(read(fd, new Uint8Array(1)), 1)
export function fill(fd) {
  const block = new Uint8Array(65_536)
  while (write(fd, block) > 0);
}
export function drain(fd) {
  const block = new Uint8Array(65_536)
  while (read(fd, block) > 0);
}

export const code = (expected) => (error) => {
  assert.equal(error?.code, expected)
  return true
}
// On a busy machine far longer than anything here takes.
export async function eventually(state, expected) {
  for (let i = 0; i < 500 && state() !== expected; i += 1) await sleep(10)
  assert.equal(state(), expected)
}

/** Runs a program of ./programs to its end: what it printed, how it ended, and after how many seconds. */
export function program(name, ...args) {
  const file = fileURLToPath(new URL(`programs/${name}`, import.meta.url))
  const start = performance.now()
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...(runtime === 'deno' ? ['run', '-A'] : []), file, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 20_000,
    })
    let output = ''
    child.stdout.on('data', (text) => (output += text))
    child.on('close', (status, signal) =>
      resolve({ output: output.trim(), status, signal, seconds: (performance.now() - start) / 1000 }),
    )
  })
}
