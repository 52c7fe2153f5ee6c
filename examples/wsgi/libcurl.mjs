// libcurl's multi interface. It opens and closes sockets as it likes, and tells by callbacks which of them it wants to be told
// about, and when it wants to be called though nothing has happened. What is ready is for the application's server to find out, so
// `work` is a generator, to be called with `yield*` and the request's `environ`.
import koffi from 'koffi'

// Deep: the library is to use the OpenSSL that it was built for, not the one inside Node.
const library = koffi.load(process.platform === 'darwin' ? 'libcurl.4.dylib' : 'libcurl.so.4', { deep: true })
// As numbers: what is given to the library and comes back with its calls.
koffi.proto('int curl_socket_callback(void *easy, int socket, int what, intptr_t user, intptr_t own)')
koffi.proto('int curl_timer_callback(void *multi, long ms, intptr_t user)')
koffi.proto('size_t curl_write_callback(void *data, size_t size, size_t count, intptr_t user)')
koffi.struct('CURLMsg', { msg: 'int', easy: 'void *', result: 'int' })
const curl = {
  globalInit: library.func('int curl_global_init(long flags)'),
  easyInit: library.func('void *curl_easy_init()'),
  easySet: library.func('int curl_easy_setopt(void *easy, int option, ...)'),
  easyInfo: library.func('int curl_easy_getinfo(void *easy, int info, ...)'),
  easyError: library.func('const char *curl_easy_strerror(int code)'),
  easyCleanup: library.func('void curl_easy_cleanup(void *easy)'),
  multiInit: library.func('void *curl_multi_init()'),
  multiSet: library.func('int curl_multi_setopt(void *multi, int option, ...)'),
  add: library.func('int curl_multi_add_handle(void *multi, void *easy)'),
  remove: library.func('int curl_multi_remove_handle(void *multi, void *easy)'),
  action: library.func('int curl_multi_socket_action(void *multi, int socket, int what, _Out_ int *running)'),
  next: library.func('CURLMsg *curl_multi_info_read(void *multi, _Out_ int *left)'),
  multiCleanup: library.func('int curl_multi_cleanup(void *multi)'),
}
// Of the library's header.
const CURL_GLOBAL_ALL = 3
const OPT = { WRITEDATA: 10001, URL: 10002, PROXY: 10004, WRITEFUNCTION: 20011, NOSIGNAL: 99 }
const MULTI = { SOCKETFUNCTION: 20001, SOCKETDATA: 10002, TIMERFUNCTION: 20004, TIMERDATA: 10005 }
const INFO = { RESPONSE_CODE: 0x200002, CONTENT_TYPE: 0x100012 }
const NO_SOCKET = -1
const [IN, OUT, REMOVE] = [1, 2, 4]

curl.globalInit(CURL_GLOBAL_ALL)

/** Whom the callbacks are for, by the numbers that the library gives back. */
const known = new Map()
let lastId = 0
let callbacks

// C pointers to functions are few, 8,192 in koffi: one set serves all, from the first user to the last.
const functions = {
  socket(_easy, socket, what, id) {
    const { sockets } = known.get(id)
    if (what === REMOVE) sockets.delete(socket)
    else sockets.set(socket, what)
    return 0
  },
  timer(_multi, ms, id) {
    known.get(id).due = ms < 0 ? Infinity : now() + ms / 1000
    return 0
  },
  write(data, size, count, id) {
    // A copy, which it has to be: the library uses its buffer again.
    known.get(id).pieces.push(koffi.decode(data, 'uint8_t', size * count))
    return size * count
  },
}

function register() {
  callbacks ??= {
    socket: koffi.register(functions.socket, 'curl_socket_callback *'),
    timer: koffi.register(functions.timer, 'curl_timer_callback *'),
    write: koffi.register(functions.write, 'curl_write_callback *'),
  }
}

function unregister() {
  if (known.size > 0) return
  for (const callback of Object.values(callbacks)) koffi.unregister(callback)
  callbacks = undefined
}

export const now = () => performance.now() / 1000

/** Transfers that are under way at the same time. To be closed. */
export class Transfers {
  sockets = new Map()
  due = Infinity
  #id = ++lastId
  #multi = curl.multiInit()
  #transfers = new Map()

  constructor() {
    register()
    known.set(this.#id, this)
    curl.multiSet(this.#multi, MULTI.SOCKETFUNCTION, 'void *', callbacks.socket)
    curl.multiSet(this.#multi, MULTI.SOCKETDATA, 'intptr_t', this.#id)
    curl.multiSet(this.#multi, MULTI.TIMERFUNCTION, 'void *', callbacks.timer)
    curl.multiSet(this.#multi, MULTI.TIMERDATA, 'intptr_t', this.#id)
  }

  /** Starts to fetch a URL. What has come stands in `pieces`; at the end `done` is true, and `error` says what failed, if it did. */
  get(url) {
    const easy = curl.easyInit()
    const id = ++lastId
    const transfer = { url, pieces: [], status: 0, type: undefined, done: false, error: undefined }
    known.set(id, transfer)
    this.#transfers.set(easy, { id, transfer })
    curl.easySet(easy, OPT.URL, 'const char *', url)
    curl.easySet(easy, OPT.PROXY, 'const char *', '') // whatever the environment says
    curl.easySet(easy, OPT.NOSIGNAL, 'long', 1)
    curl.easySet(easy, OPT.WRITEFUNCTION, 'void *', callbacks.write)
    curl.easySet(easy, OPT.WRITEDATA, 'intptr_t', id)
    curl.add(this.#multi, easy)
    return transfer
  }

  /** Waits until the library has something to do, and lets it do that. False: `deadline`, as `now()` counts, has passed. */
  *work(environ, deadline = Infinity) {
    const wanting = (way) => [...this.sockets.keys()].filter((socket) => (this.sockets.get(socket) & way) !== 0)
    const seconds = Math.max(0, Math.min(this.due, deadline) - now())
    const { readable, writable } = yield environ['fdevent.select'](wanting(IN), wanting(OUT), [], seconds)
    for (const socket of new Set([...readable, ...writable])) {
      const way = (readable.includes(socket) ? IN : 0) | (writable.includes(socket) ? OUT : 0)
      curl.action(this.#multi, socket, way, [0])
    }
    if (now() >= this.due) {
      this.due = Infinity // the library says when the next time is
      curl.action(this.#multi, NO_SOCKET, 0, [0])
    }
    this.#collect()
    return now() < deadline
  }

  /** Ends all of them, finished or not. */
  close() {
    for (const [easy, { id }] of this.#transfers) {
      curl.remove(this.#multi, easy)
      curl.easyCleanup(easy)
      known.delete(id)
    }
    curl.multiCleanup(this.#multi)
    known.delete(this.#id)
    unregister()
  }

  #collect() {
    for (const [easy, { transfer }] of this.#transfers) {
      // Known with the first byte of the body.
      const [code, type] = [[0], [null]]
      curl.easyInfo(easy, INFO.RESPONSE_CODE, '_Out_ long *', code)
      curl.easyInfo(easy, INFO.CONTENT_TYPE, '_Out_ const char **', type)
      transfer.status = Number(code[0])
      transfer.type = type[0] ?? undefined
    }
    for (let message = curl.next(this.#multi, [0]); message !== null; message = curl.next(this.#multi, [0])) {
      const { easy, result } = koffi.decode(message, 'CURLMsg')
      const { transfer } = this.#transfers.get(easy)
      transfer.done = true
      if (result !== 0) transfer.error = curl.easyError(result)
    }
  }
}
