export type StopSignal = 'SIGTERM' | 'SIGINT'

/** What shells report of a program that a signal ended. */
export const SIGNAL_STATUS: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143 }

/** Two signals of one keystroke come closer together than two keystrokes. */
const ONE_KEYSTROKE_MS = 100

/** The first signal asks for an end, a second one for an end at once. */
export function onStopSignal(first: () => void, second: (signal: StopSignal) => void): void {
  let since: number | undefined
  const act = (signal: StopSignal): void => {
    if (since === undefined) {
      since = performance.now()
      first()
    } else if (performance.now() - since > ONE_KEYSTROKE_MS) {
      second(signal)
    }
  }
  process.on('SIGTERM', () => act('SIGTERM'))
  process.on('SIGINT', () => act('SIGINT'))
}
