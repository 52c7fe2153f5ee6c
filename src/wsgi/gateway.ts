import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { invalidType } from '../errors.js'
import { Exchange } from './exchange.js'
import { toSettings } from './settings.js'
import type { Application, GatewayOptions } from './types.js'

/** For the event `'request'` of `node:http`, `node:https` and `node:http2`. */
export type Listener = (req: IncomingMessage | Http2ServerRequest, res: ServerResponse | Http2ServerResponse) => void

/**
 * A request listener that serves an application: for `http.createServer`, `https.createServer`, `http2.createServer`,
 * `http2.createSecureServer`, the server's event `'checkContinue'`, and `app.use()` of Express and its like.
 *
 * It answers every request it gets. What an application does wrong ends that request, with 500 or, if its headers have gone, by
 * closing the connection, and is written to `options.errors`.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` for its arguments.
 */
export function gateway(application: Application, options?: GatewayOptions): Listener {
  if (typeof application !== 'function') throw invalidType('application', 'a function', application)
  const settings = toSettings(options)
  // The compatible half of node:http2 is what its name says.
  return (req, res) => new Exchange(application, req as IncomingMessage, res as ServerResponse, settings).begin()
}
