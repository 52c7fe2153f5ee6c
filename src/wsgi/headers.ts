/**
 * The rules for status lines and headers. What breaks one never reaches the wire.
 *
 * @module
 */
import { kindOf, WsgiError } from './faults.js'
import type { HeaderList } from './types.js'

const STATUS = /^[2-9]\d\d [\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff]$/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const ASCII = /^[\x20-\x7e]*$/
const LATIN1 = /^[\x20-\x7e\x80-\xff]*$/

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'trailers',
  'transfer-encoding',
  'upgrade',
])

/** What was checked. */
export interface Head {
  status: number
  reason: string
  /** Name, value, name, value: the form that node:http sends without a copy. */
  fields: string[]
  /** The Content-Length that was given, or -1. */
  length: number
  /** Whether every value is ASCII. */
  ascii: boolean
}

interface Status {
  code: number
  reason: string
  ascii: boolean
}

// The few status lines and names that programs use, checked once. Bounded, since some programs make them up.
const REMEMBERED = 500
const statuses = new Map<string, Status>()
const ORDINARY = 0
const CONTENT_LENGTH = 1
const names = new Map<string, number>()

/** @throws WsgiError: a rule is broken. */
export function checkHead(status: unknown, headers: HeaderList): Head {
  if (typeof status !== 'string') {
    throw new WsgiError(`startResponse's status must be a string such as '200 OK', not ${kindOf(status)}`)
  }
  const { code, reason, ascii } = statuses.get(status) ?? checkStatus(status)
  const head: Head = { status: code, reason, fields: [], length: -1, ascii }
  if (Array.isArray(headers)) {
    for (let i = 0; i < headers.length; i += 1) add(head, headers[i])
  } else if (typeof headers === 'object' && headers !== null && typeof headers[Symbol.iterator] === 'function') {
    for (const header of headers) add(head, header)
  } else {
    const fix = typeof headers === 'object' && headers !== null ? '; Object.entries() makes them' : ''
    throw new WsgiError(`startResponse's headers must be an array of [name, value] pairs, not ${kindOf(headers)}${fix}`)
  }
  return head
}

function checkStatus(status: string): Status {
  if (!STATUS.test(status)) {
    throw new WsgiError(
      `startResponse's status must be three digits from 200 on, a space and a reason, without control characters, ` +
        `as in '200 OK', not ${quote(status)}`,
    )
  }
  const checked = { code: Number(status.slice(0, 3)), reason: status.slice(4), ascii: ASCII.test(status) }
  if (statuses.size < REMEMBERED) statuses.set(status, checked)
  return checked
}

function add(head: Head, header: unknown): void {
  if (!Array.isArray(header) || header.length !== 2) {
    throw new WsgiError(`each of startResponse's headers must be a pair [name, value], not ${kindOf(header)}`)
  }
  const [name, value] = header as [unknown, unknown]
  if (typeof name !== 'string') throw new WsgiError(`a header's name must be a string, not ${kindOf(name)}`)
  const kind = names.get(name) ?? checkName(name)
  if (typeof value !== 'string') {
    throw new WsgiError(`the value of the header ${name} must be a string, not ${kindOf(value)}; String() makes one`)
  }
  if (!ASCII.test(value)) {
    if (!LATIN1.test(value)) throw new WsgiError(describeValue(name, value))
    head.ascii = false
  }
  if (kind === CONTENT_LENGTH) setLength(head, value)
  head.fields.push(name, value)
}

function checkName(name: string): number {
  if (!TOKEN.test(name)) {
    throw new WsgiError(`a header's name may have letters, digits and !#$%&'*+-.^_\`|~ only, unlike ${quote(name)}`)
  }
  const lower = name.toLowerCase()
  if (HOP_BY_HOP.has(lower)) {
    throw new WsgiError(`the header ${name} is about the connection, which is the server's: leave it out`)
  }
  const kind = lower === 'content-length' ? CONTENT_LENGTH : ORDINARY
  if (names.size < REMEMBERED) names.set(name, kind)
  return kind
}

function describeValue(name: string, value: string): string {
  // eslint-disable-next-line no-control-regex
  return /[\x00-\x1f\x7f]/.test(value)
    ? `the value of the header ${name} has a control character (a line break, for one), which no header may: ${quote(value)}`
    : `the value of the header ${name} has characters above U+00FF, which no header can carry; encode them: ${quote(value)}`
}

function setLength(head: Head, value: string): void {
  if (!/^\d{1,15}$/.test(value)) throw new WsgiError(`Content-Length must be a number of bytes, not ${quote(value)}`)
  if (head.length >= 0) throw new WsgiError('Content-Length was given twice')
  head.length = Number(value)
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text)
}
