/**
 * What is used of Node's own modules in every program. Not imported: an import makes a namespace of the module, by reading everything
 * that it exports, which for these together is a tenth of what loading the library costs.
 *
 * @module
 */
export const { AsyncResource } = process.getBuiltinModule('node:async_hooks')
const events = process.getBuiltinModule('node:events')
export const addAbortListener: typeof events.addAbortListener = (signal, act) => events.addAbortListener(signal, act)
export const { createRequire } = process.getBuiltinModule('node:module')
export const { constants } = process.getBuiltinModule('node:os')
export const { getSystemErrorMap } = process.getBuiltinModule('node:util')
