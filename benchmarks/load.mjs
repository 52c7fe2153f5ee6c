import { here, node } from './harness/paths.mjs'
import { peer } from './harness/requirements.mjs'

const GROUP = 'in a fresh process, without the start of Node itself'

function contestants({ peers }) {
  const own = (how) => node('load', how, 'fdevent', here('.'))
  const other = (specifier, file) => ({
    name: `require('${specifier}')`,
    kind: 'peer',
    command: node('load', 'require', specifier, peers),
    needs: [peer(file)],
  })
  return [
    {
      name: 'require() of an empty file',
      kind: 'floor',
      command: node('load', 'require', './contestants/empty.cjs', here('.')),
    },
    { name: "require('fdevent')", kind: 'fdevent', command: own('require') },
    { name: "import('fdevent')", kind: 'fdevent', command: own('import') },
    { name: "import('fdevent/io')", kind: 'fdevent', command: node('load', 'import', 'fdevent/io', here('.')) },
    other('koffi', 'koffi'),
    other('@serialport/bindings-cpp', 'serialport'),
    other('epoll', 'epoll'),
  ].map((contestant) => ({ ...contestant, group: GROUP, floor: 'require() of an empty file' }))
}

export default {
  name: 'load',
  what: 'ms to load the package',
  repeat: 25,
  figures: [
    { key: 'value', label: 'time', unit: 'ms', digits: 2 },
    { key: 'cpu', label: 'CPU time', unit: 'ms', digits: 2, chart: false },
  ],
  contestants,
  targets: [{ what: "require('fdevent'), ms", group: GROUP, of: "require('fdevent')", atMost: 5 }],
}
