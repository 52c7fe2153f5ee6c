// Checks the C++ sources: their format with clang-format, their substance with clang-tidy. Where a
// tool is missing, CI fails and everybody else goes without.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const JOBS = 2
const CORE = ['native/sys', 'native/backend', 'native/core']
const DEFINES = [
  '-DFDEVENT_BACKEND_HEADER="backend/epoll.h"',
  '-DNAPI_VERSION=8',
  '-DNODE_ADDON_API_DISABLE_DEPRECATED',
  '-DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
]
// Other systems' backends need their own headers.
const FOREIGN = process.platform === 'linux' ? ['kqueue.cc', 'kqueue_events.cc'] : ['epoll.cc', 'libkqueue.cc']

function list(folders, ...endings) {
  return folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => endings.some((ending) => name.endsWith(ending)))
      .map((name) => join(folder, name)),
  )
}

function available(tool) {
  if (spawnSync(tool, ['--version']).status === 0) return true
  console.error(`lint-native: ${tool} is not installed${process.env.CI ? '' : '; skipped'}`)
  if (process.env.CI) process.exitCode = 1
  return false
}

// The checker's findings are on stdout; its stderr counts what it suppressed in foreign headers.
function check(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        output += text
      })
    }
    child.on('close', (code) => {
      if (code !== 0) {
        process.exitCode = 1
        process.stderr.write(output)
      }
      resolve()
    })
  })
}

async function checkAll(command, queue, args) {
  const job = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) await check(command, args(file))
  }
  await Promise.all(Array.from({ length: JOBS }, job))
}

function nodeHeaders() {
  const downloaded = join(process.env.HOME ?? '', '.cache/node-gyp', process.versions.node)
  return [process.env.npm_config_nodedir, dirname(dirname(process.execPath)), downloaded]
    .filter(Boolean)
    .map((root) => join(root, 'include/node'))
    .find((folder) => existsSync(join(folder, 'node_api.h')))
}

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))

if (available('clang-format')) {
  const files = list([...CORE, 'native/node', 'test/native'], '.h', '.cc')
  await check('clang-format', ['--dry-run', '-Werror', ...files])
}

if (available('clang-tidy')) {
  const flags = ['-std=c++17', '-Inative', ...DEFINES]
  const tidy = (more) => (file) => ['--quiet', file, '--', ...flags, ...more]
  const core = list(CORE, '.cc').filter((file) => !FOREIGN.some((name) => file.endsWith(name)))
  await checkAll('clang-tidy', core, tidy([]))
  const headers = nodeHeaders()
  if (headers) {
    const addonApi = dirname(createRequire(import.meta.url).resolve('node-addon-api/package.json'))
    await checkAll('clang-tidy', list(['native/node'], '.cc'), tidy(['-isystem', headers, '-isystem', addonApi]))
  } else {
    console.error("lint-native: Node's headers were not found; native/node is not checked by clang-tidy")
  }
}
