import type { Statistics } from './binding.js'
import * as reactor from './reactor.js'

/**
 * What the library holds at present in this thread, for tests and for finding leaks. It walks its tables, so it is not
 * for hot paths.
 */
export function statistics(): Statistics {
  return reactor.statistics()
}
