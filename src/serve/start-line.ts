import { isIPv6 } from 'node:net'
import type { Settings } from './command-line.js'

export function printStart({ file, host, workers }: Settings, port: number): void {
  const name = isIPv6(host) ? `[${host}]` : host
  console.log(`fdevent-serve: ${file} on http://${name}:${port}${workers > 1 ? ` (${workers} workers)` : ''}`)
}
