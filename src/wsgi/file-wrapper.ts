import { readSync } from 'node:fs'
import { invalidType, outOfRange } from '../errors.js'
import type { Chunk, FileLike } from './types.js'

/**
 * `wsgi.file_wrapper`: a body that reads a file block by block. An object's `close` is called at the end; a descriptor stays open.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`.
 */
export function fileWrapper(file: FileLike, blockSize = 65_536): Iterable<Chunk> & { close(): void } {
  if (typeof file !== 'number' && typeof (file as { read?: unknown } | null)?.read !== 'function') {
    throw invalidType('file', 'a descriptor or an object with read(size)', file)
  }
  if (typeof blockSize !== 'number') throw invalidType('blockSize', 'a number of bytes', blockSize)
  if (!Number.isInteger(blockSize) || blockSize < 1) throw outOfRange('blockSize', 'an integer >= 1', blockSize)
  return {
    *[Symbol.iterator]() {
      for (;;) {
        const block = typeof file === 'number' ? readBlock(file, blockSize) : file.read(blockSize)
        if (block === null || block === undefined || block.length === 0) return
        yield block
      }
    },
    close() {
      if (typeof file !== 'number') file.close?.()
    },
  }
}

function readBlock(fd: number, size: number): Buffer {
  const block = Buffer.allocUnsafe(size)
  return block.subarray(0, readSync(fd, block))
}
