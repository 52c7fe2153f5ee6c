// Asks each page once, and tells what came.
const PATIENCE_MS = 10_000

/** Status and beginning of an answer; of one that never ends, its first piece. */
async function ask(url, { method, body, endless }) {
  const response = await fetch(url, { method, body, signal: AbortSignal.timeout(PATIENCE_MS) })
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    text += value
    if (endless && response.ok) break
  }
  await reader.cancel()
  return { status: response.status, text }
}

async function report(what, url, request, service) {
  // One piece: applications may print something meanwhile.
  const tell = (text) => console.log(`${what.padEnd(24)}${text}`)
  try {
    const { status, text } = await ask(url, request)
    const [line] = text.split('\n', 1)
    const works = status === 200 && text !== ''
    const excused = !works && service !== undefined && status >= 502
    tell(`${status} ${line.slice(0, 100)}${excused ? `   NOT RUN: it needs ${service}` : ''}`)
    return works || excused
  } catch (error) {
    tell(`FAILED: ${error.cause?.message ?? error.message}`)
    return false
  }
}

/** Whether all worked, or could not because of what is not on this machine. */
export async function check(url, list) {
  let good = await report('/', `${url}/`, {})
  good = (await report('/applications.json', `${url}/applications.json`, {})) && good
  for (const { name, request, missing } of list) {
    if (missing !== undefined) console.log(`${`/run/${name}`.padEnd(24)}NOT RUN: ${missing}`)
    else good = (await report(`/run/${name}`, `${url}/run/${name}${request.path}`, request, request.service)) && good
  }
  return good
}
