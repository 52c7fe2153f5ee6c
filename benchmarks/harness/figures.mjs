/** What the contestants of the ring print. CPU time is beside the time on the wall because neighbours disturb it far less. */
export const RING_FIGURES = [
  { key: 'value', label: 'time', unit: 'ns' },
  { key: 'cpu', label: 'CPU time', unit: 'ns', chart: false },
]
