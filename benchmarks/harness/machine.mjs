import { cpus, release, totalmem, type } from 'node:os'

/** What the figures were measured on. */
export function machine() {
  const all = cpus()
  return {
    kernel: `${type()} ${release()}`,
    cpu: `${all.length} x ${all[0]?.model.trim() ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    arch: process.arch,
    node: process.version,
    libuv: process.versions.uv,
    v8: process.versions.v8,
  }
}
