// Which applications there are in a folder, and what is known of them.
import { readdir, readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { gateway } from 'fdevent/wsgi'
import { requests } from './requests.mjs'

/** The comment that a program begins with, as a paragraph, without the commands in it. */
function introduction(source) {
  const lines = source.split('\n')
  const end = lines.findIndex((line) => !line.startsWith('//'))
  const prose = lines.slice(0, end < 0 ? undefined : end).filter((line) => !line.startsWith('//   '))
  // It speaks of a server of its own, and may end where its commands begin.
  const text = prose.map((line) => line.slice(2).trim()).join(' ')
  return text.replaceAll('http://127.0.0.1:8080', '').replace(/:$/, '.')
}

/** In one line, for somebody who may only lack a library. */
function reason(error) {
  return String(error instanceof Error ? error.message : error).split('\n')[0]
}

/**
 * A list of `{ name, about, request, listener }`, or with `missing` in the listener's place: why an application cannot be loaded, for
 * example the name of a library. Modules without a default export are what applications are made of, or programs.
 */
export async function catalogue(folder, options) {
  const names = await readdir(folder).catch(() => [])
  const found = []
  for (const file of names.filter((name) => name.endsWith('.mjs')).sort()) {
    const url = new URL(file, pathToFileURL(`${folder}/`))
    const source = await readFile(url, 'utf8')
    if (!/^export (default |\{[^}]*\bas default\b)/m.test(source)) continue
    const name = file.slice(0, -'.mjs'.length)
    const entry = { name, about: introduction(source), request: { method: 'GET', path: '/', ...requests[name] } }
    try {
      const module = await import(url.href)
      found.push({ ...entry, listener: gateway(module.default, { ...module.options, ...options }) })
    } catch (error) {
      found.push({ ...entry, missing: reason(error) })
    }
  }
  return found
}
