import { binding } from './binding.js'
import { native } from './reactor.js'

/** How the library works on this system. */
export interface Platform {
  /** The kernel's interface: `'epoll'` on Linux, `'kqueue'` on macOS and the BSDs. */
  backend: 'epoll' | 'kqueue'
  /**
   * How the event loop learns of events. `'nested'`: the library's poller is watched by libuv's own. `'thread'`: a thread of the
   * library's waits for it, which costs some 20 microseconds for each batch of events; that is so in Bun, in Deno, where pollers
   * cannot be nested, and where the environment variable `FDEVENT_DRIVER=thread` asks for it. What holds is known for certain
   * when a wait has been started.
   */
  driver: 'nested' | 'thread'
}

/** Which of its ways the library uses on this system and in this thread. */
export function platform(): Platform {
  return { backend: binding.backend, driver: native.driver() }
}
