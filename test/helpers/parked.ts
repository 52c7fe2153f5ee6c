/** Descriptors on numbers of their own, for tests that close and replace them without a word. */
import { closing } from 'fdevent'
import { onTestFinished } from 'vitest'
import * as c from './libc.js'

// Numbers up here are given to nobody else in this process: what a test leaves closed stays closed.
let nextNumber = 600

/** Moves a descriptor to a number that the test alone uses. */
export function park(fd: number): number {
  const number = nextNumber++
  c.dup2(fd, number)
  c.close(fd)
  onTestFinished(() => {
    closing(number)
    if (c.isOpen(number)) c.close(number)
  })
  return number
}

export function pipe(): c.Pair {
  const [r, w] = c.pipe()
  return [park(r), park(w)]
}

/** Puts another object on a number, without a word. */
export function replace(number: number, by: number): void {
  c.dup2(by, number)
}

export const outcome = (wait: Promise<unknown>): Promise<unknown> => wait.catch((error) => error.code)
export const turn = () => new Promise((resolve) => setTimeout(resolve, 20))

/** CPU seconds this process burns in one second of doing nothing. A spin takes most of a core. */
export async function idleCpu(): Promise<number> {
  await turn()
  const before = process.cpuUsage()
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}
export const GENEROUS = 0.35
