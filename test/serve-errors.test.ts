import { readFileSync } from 'node:fs'
import net from 'node:net'
import { expect, test } from 'vitest'
import { app, ended } from './helpers/serve.js'
import { listen } from './helpers/wsgi.js'

test('--help and --version', async () => {
  const help = await ended(['--help'])
  expect(help).toMatchObject({ code: 0, stderr: '' })
  for (const option of ['host', 'port', 'workers', 'grace', 'max-body', 'version', 'help']) {
    expect(help.stdout).toContain(`--${option} `)
  }
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  expect(await ended(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' })
})

test.each<[string, (string | number)[], RegExp]>([
  ['an unknown option', ['--frot', 'app.mjs'], /unknown option '--frot'/],
  ['an option without its value', ['app.mjs', '--port'], /'--port <value>' argument missing/],
  ['no file', [], /a file is needed/],
  ['two files', ['a.mjs', 'b.mjs'], /one file only, not also b\.mjs/],
  ['a port that is no number', ['a.mjs', '--port', '80a'], /--port must be an integer from 0 to 65535, not "80a"/],
  ['a port out of range', ['a.mjs', '--port', '65536'], /--port must be an integer from 0 to 65535/],
  ['a negative port', ['a.mjs', '--port=-1'], /--port must be an integer from 0 to 65535, not "-1"/],
  ['no workers', ['a.mjs', '--workers', '0'], /--workers must be an integer from 1 to 1024/],
  ['a fraction of a worker', ['a.mjs', '--workers', '1.5'], /--workers must be an integer/],
  ['a grace period of no length', ['a.mjs', '--grace', 'long'], /--grace must be a number of seconds/],
  ['a grace period beyond the timers', ['a.mjs', '--grace', '1e9'], /--grace must be a number of seconds/],
  ['a limit that is no number', ['a.mjs', '--max-body', '1MB'], /--max-body must be a number of bytes or Infinity/],
  ['an empty host', ['a.mjs', '--host', ''], /--host must not be empty/],
])('%s: a message, and status 2', async (_, args, message) => {
  const { code, stdout, stderr } = await ended(args)
  expect(stderr).toMatch(message)
  expect(stderr).toMatch(/^fdevent-serve: .*\n$/)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
})

test.each<[string, (string | number)[], RegExp]>([
  ['a file that is not there', ['/nonexistent/app.mjs'], /^fdevent-serve: there is no file \/nonexistent\/app\.mjs\n$/],
  ['a directory', [app('')], /is a directory/],
  ['a module without an application', [app('nothing.mjs')], /nothing\.mjs must export an application, a function/],
  ['an application that is none', [app('wrong.mjs')], /must export an application.*and exports a string/],
  [
    'a module that throws',
    [app('broken.mjs')],
    /could not be loaded: Error: this application is broken\n.*broken\.mjs:1/,
  ],
  ['a module that is never loaded', [app('unsettled.mjs')], /was never loaded: a top-level await/],
  [
    'options that are none',
    [app('bad-options.mjs')],
    /the options that .*bad-options\.mjs exports: .*'buffered' or 'str/,
  ],
  [
    'an address of another machine',
    [app('app.mjs'), '--host', '192.0.2.1'],
    /192\.0\.2\.1 is no address of this machine/,
  ],
  ['a name without an address', [app('app.mjs'), '--host', 'x.invalid'], /x\.invalid is no address, and no name that/],
])('%s: a message, and status 1, alone and with workers', async (_, args, message) => {
  for (const workers of [1, 2]) {
    const { code, stdout, stderr } = await ended([...args, '--port', 0, '--workers', workers])
    expect(stderr).toMatch(message)
    expect(stderr.match(/fdevent-serve: /g)).toHaveLength(1)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  }
})

test('a port in use: a message, and status 1, alone and with workers', async () => {
  const port = await listen(net.createServer())
  for (const workers of [1, 2]) {
    const { code, stdout, stderr } = await ended([app('app.mjs'), '--port', port, '--workers', workers])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe(
      `fdevent-serve: port ${port} on 127.0.0.1 is in use; --port names another, --port 0 takes any free one\n`,
    )
  }
})
