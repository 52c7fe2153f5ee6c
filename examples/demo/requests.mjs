// What the page asks of the applications in examples/wsgi, unless its user asks something else. `service` is what one needs beside
// this machine's libraries: without it the answer is an error page, which is no fault of the application's. `{port}` is where the page itself is served.
export const requests = {
  child: { path: '/count' },
  clock: { path: '/', endless: true },
  connect: { path: '/localhost/{port}' },
  fifo: { path: '/', endless: true },
  parallel: { path: '/?path=/0.5&path=/1&path=/0.2' },
  postgres: { path: '/?seconds=1', service: 'a PostgreSQL server (DATABASE_URL)' },
  proxy: { path: '/0.5' },
  router: { method: 'POST', path: '/sha256', body: 'Any text.' },
  subscribe: { path: '/news', endless: true, service: 'a Redis server on this machine (REDIS_PORT)' },
}
