import type { IncomingMessage, ServerResponse } from 'node:http'
import { invalidType } from '../errors.js'
import { Exchange } from './exchange.js'
import { toSettings } from './settings.js'
import type { Application, GatewayOptions } from './types.js'

/**
 * A request listener that serves an application: for `http.createServer`, `https.createServer`, `http2.createServer`,
 * `http2.createSecureServer`, the server's event `'checkContinue'`, and `app.use()` of Express and its like.
 *
 * It answers every request it gets. What an application does wrong ends that request, with 500 or, if its headers have gone, by
 * closing the connection, and is written to `options.errors`.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` for its arguments.
 */
export function gateway(
  application: Application,
  options?: GatewayOptions,
): (req: IncomingMessage, res: ServerResponse) => void {
  if (typeof application !== 'function') throw invalidType('application', 'a function', application)
  const settings = toSettings(options)
  return (req, res) => new Exchange(application, req, res, settings).begin()
}
