// The part of Redis' protocol that a subscriber needs: arrays of strings and numbers, cut out of a stream of bytes.

/** The bytes of a command. */
export function command(...words) {
  return Buffer.from(
    `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
  )
}

/** Collects bytes as they come. */
export class Replies {
  #bytes = Buffer.alloc(0)

  /** The replies that are complete with these bytes. */
  push(bytes) {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    const replies = []
    for (let reply = parse(this.#bytes, 0); reply !== undefined; reply = parse(this.#bytes, 0)) {
      this.#bytes = this.#bytes.subarray(reply.end)
      replies.push(reply.value)
    }
    return replies
  }
}

/** A value and where it ends, or undefined if it has not come as a whole. */
function parse(bytes, start) {
  const lineEnd = bytes.indexOf('\r\n', start)
  if (lineEnd < 0) return undefined
  const kind = String.fromCharCode(bytes[start])
  const rest = bytes.toString('latin1', start + 1, lineEnd)
  const next = lineEnd + 2
  if (kind === '-') throw new Error(`Redis says: ${rest}`)
  if (kind === '+') return { value: rest, end: next }
  if (kind === ':') return { value: Number(rest), end: next }
  if (kind === '$') {
    const end = next + Number(rest) + 2
    return end > bytes.length ? undefined : { value: bytes.toString('utf8', next, end - 2), end }
  }
  if (kind !== '*') throw new Error(`this does not come from Redis: ${kind}${rest}`)
  const value = []
  let end = next
  while (value.length < Number(rest)) {
    const one = parse(bytes, end)
    if (one === undefined) return undefined
    value.push(one.value)
    end = one.end
  }
  return { value, end }
}
