import { addAbortListener } from './builtins.js'
import { binding } from './binding.js'

// One listener for each signal, whatever the number of waits: a thousand waits under one signal would otherwise mean a thousand
// listeners, each added and removed by walking all of them, and Node's warning about a leak.
const subscribed = new WeakMap<AbortSignal, Set<() => void>>()

/** Has `act` called when the signal is aborted, until the function returned is. */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  let acts = subscribed.get(signal)
  if (acts === undefined) {
    acts = new Set()
    subscribed.set(signal, acts)
  }
  const all = acts
  if (all.size === 0) listen(signal, all)
  // A wrapper, so that the same function may be there twice.
  const entry = (): void => act()
  all.add(entry)
  return () => {
    if (all.delete(entry) && all.size === 0) unlisten(signal)
  }
}

const subscriptions = new WeakMap<AbortSignal, Disposable>()

function listen(signal: AbortSignal, acts: Set<() => void>): void {
  // Not addEventListener: another listener of the program's could keep the event from this one by stopping its propagation.
  const subscription = addAbortListener(signal, () => {
    // One may end another, which must then not be told.
    for (const act of [...acts]) if (acts.delete(act)) act()
  })
  subscriptions.set(signal, subscription)
}

function unlisten(signal: AbortSignal): void {
  try {
    subscriptions.get(signal)?.[Symbol.dispose]()
  } catch (error) {
    // A signal of the program's own making: its fault must cost no other wait of the batch.
    binding.uncaught(error)
  }
}
