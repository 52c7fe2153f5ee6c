/**
 * `fdevent/wsgi`: applications that tell their server to suspend them until a descriptor is ready.
 *
 * @module
 */
export { withFdevent } from './bridge.js'
export { BodyTooLarge, ClientGone, WsgiError } from './faults.js'
export { gateway, type Listener } from './gateway.js'
export { AsyncInput, InputStream } from './input.js'
export { Timeout } from './timeout.js'
export { outcome } from './outcome.js'
export type {
  Application,
  Body,
  Chunk,
  Environ,
  ErrorStream,
  FileLike,
  FileWrapper,
  GatewayOptions,
  HeaderList,
  Resume,
  SelectCall,
  StartResponse,
  SuspendCall,
  Suspension,
  WaitCall,
  Write,
} from './types.js'
