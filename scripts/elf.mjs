// What an ELF file asks of the system it is loaded on: the libraries in its dynamic section, and the versions of their symbols.
import { readFileSync } from 'node:fs'

const SHT_DYNAMIC = 6
const SHT_GNU_VERNEED = 0x6ffffffe
const DT_NEEDED = 1n

/** @returns {{ needed: string[], versions: string[] }} */
export function requirements(file) {
  const bytes = readFileSync(file)
  if (bytes.toString('latin1', 0, 6) !== '\x7fELF\x02\x01')
    throw new Error(`${file} is no 64-bit little-endian ELF file`)
  const sections = sectionsOf(bytes)
  const needed = []
  const versions = []
  for (const { type, offset, size, link, info } of sections) {
    const name = (at) => text(bytes, sections[link].offset + at)
    if (type === SHT_DYNAMIC) {
      for (let at = offset; at < offset + size; at += 16) {
        if (bytes.readBigInt64LE(at) === DT_NEEDED) needed.push(name(Number(bytes.readBigUInt64LE(at + 8))))
      }
    }
    if (type === SHT_GNU_VERNEED) {
      for (let at = offset, left = info; left > 0; left -= 1) {
        let detail = at + bytes.readUInt32LE(at + 8)
        for (let count = bytes.readUInt16LE(at + 2); count > 0; count -= 1) {
          versions.push(name(bytes.readUInt32LE(detail + 8)))
          detail += bytes.readUInt32LE(detail + 12)
        }
        at += bytes.readUInt32LE(at + 12)
      }
    }
  }
  return { needed, versions }
}

/** The highest of `PREFIX_1.2.3`, as numbers; null where there is none. */
export function highest(versions, prefix) {
  const numbers = versions
    .filter((version) => new RegExp(`^${prefix}_[\\d.]+$`).test(version))
    .map((version) =>
      version
        .slice(prefix.length + 1)
        .split('.')
        .map(Number),
    )
  return numbers.sort(compare).at(-1) ?? null
}

export function compare(one, other) {
  const at = one.findIndex((number, index) => number !== (other[index] ?? 0))
  return at < 0 ? 0 : one[at] - (other[at] ?? 0)
}

function sectionsOf(bytes) {
  const start = Number(bytes.readBigUInt64LE(0x28))
  const size = bytes.readUInt16LE(0x3a)
  return Array.from({ length: bytes.readUInt16LE(0x3c) }, (_, index) => {
    const at = start + index * size
    return {
      type: bytes.readUInt32LE(at + 4),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
      link: bytes.readUInt32LE(at + 40),
      info: bytes.readUInt32LE(at + 44),
    }
  })
}

function text(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at))
}
