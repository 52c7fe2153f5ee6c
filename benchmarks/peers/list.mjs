import closing from './situations/closing.mjs'
import conditions from './situations/conditions.mjs'
import sharing from './situations/sharing.mjs'
import threads from './situations/threads.mjs'
import time from './situations/time.mjs'

export const situations = [...closing, ...sharing, ...conditions, ...threads, ...time]
