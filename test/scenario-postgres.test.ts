import { statistics } from 'fdevent'
import { beforeAll, expect, test } from 'vitest'
import { importExample, serveExample } from './helpers/examples.js'
import { eventually } from './helpers/owned.js'
import { hasPostgres, missing, type Postgres, startPostgres } from './helpers/servers.js'
import { ask, GET, Raw, serve } from './helpers/wsgi.js'

if (!missing('PostgreSQL', hasPostgres)) {
  let database: Postgres
  beforeAll(async () => {
    database = await startPostgres()
    process.env['DATABASE_URL'] = database.conninfo
    return database.stop
  }, 90_000)

  const SLEEPING = `FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()`
  const sleeping = (): number => Number(database.psql(`SELECT count(*) ${SLEEPING}`))
  const connected = (): number =>
    Number(database.psql(`SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'`)) - 1

  test('a page with the result of a query', async () => {
    const served = await serveExample('postgres')
    const { status, body } = await ask(served, '/?seconds=0.01&note=%C3%BCber')
    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({ pg_sleep: '', database: 'postgres', note: 'über' })
    expect(JSON.parse((await ask(served, '/?seconds=0')).body)).toMatchObject({ note: null })
    expect(served.log).toEqual([])
  })

  test('50 pages that sleep for a second in the database are there after little more than one', async () => {
    const served = await serveExample('postgres')
    const from = performance.now()
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(served, `/?seconds=1&note=${i}`)))
    const seconds = (performance.now() - from) / 1000
    console.log(`50 pages with pg_sleep(1): ${seconds.toFixed(2)} s`)
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200))
    const rows = answers.map(({ body }) => JSON.parse(body) as { note: string; backend: string })
    expect(rows.map(({ note }) => note)).toEqual(Array.from({ length: 50 }, (_, i) => String(i)))
    expect(new Set(rows.map(({ backend }) => backend)).size).toBe(50)
    expect(seconds).toBeGreaterThanOrEqual(1)
    expect(seconds).toBeLessThan(3)
    await eventually(connected).toBe(0)
  })

  test('a backend that is killed while the request waits for it: an error page, and the server lives on', async () => {
    const served = await serveExample('postgres')
    const answer = ask(served, '/?seconds=2')
    await eventually(sleeping).toBe(1)
    expect(database.psql(`SELECT pg_terminate_backend(pid) ${SLEEPING}`)).toBe('t')
    const { status, body } = await answer
    expect(status).toBe(502)
    expect(body).toMatch(/terminating connection due to administrator command/)
    expect((await ask(served, '/?seconds=0')).status).toBe(200)
  })

  test('what is not there within 3 seconds: 504, and nothing stays connected', async () => {
    const served = await serveExample('postgres')
    const from = performance.now()
    const { status, body } = await ask(served, '/?seconds=60')
    const seconds = (performance.now() - from) / 1000
    expect([status, body]).toEqual([504, 'the database took too long\n'])
    expect(seconds).toBeGreaterThanOrEqual(3)
    expect(seconds).toBeLessThan(6)
    await eventually(connected).toBe(0)
  })

  test('a query that the database refuses, and a database that is not there: 502', async () => {
    const served = await serveExample('postgres')
    const refused = await ask(served, '/?seconds=soon')
    expect([refused.status, refused.body]).toEqual([502, expect.stringMatching(/invalid input syntax.*soon/)])
    process.env['DATABASE_URL'] = 'host=/nonexistent'
    try {
      const absent = await ask(served, '/')
      expect([absent.status, absent.body]).toEqual([502, expect.stringMatching(/nonexistent/)])
    } finally {
      process.env['DATABASE_URL'] = database.conninfo
    }
  })

  test('a query, and an answer, far larger than what a socket takes at once', async () => {
    const { connect, finish, now, query } = (await importExample('libpq')) as any
    const note = 'ü'.repeat(5_000_000)
    const served = await serve(function* (environ, startResponse) {
      const connection = yield* connect(environ, database.conninfo, now() + 60)
      try {
        const text = 'SELECT length($1) AS letters, $1 AS note'
        const rows = yield* query(environ, connection, text, [note], now() + 60)
        startResponse('200 OK', [['Content-Type', 'text/plain; charset=utf-8']])
        yield `${rows[0].letters} ${rows[0].note === note}`
        yield ` ${(yield* query(environ, connection, 'SELECT 1 AS one', [], now() + 60))[0].one}`
      } finally {
        finish(connection)
      }
    })
    expect((await ask(served)).body).toBe('5000000 true 1')
    expect(served.log).toEqual([])
  }, 60_000)

  test('a client that leaves while its request waits: the connection to the database is given up', async () => {
    const served = await serveExample('postgres')
    const client = await Raw.connect(served)
    client.send(GET.replace('/', '/?seconds=2'))
    await eventually(sleeping).toBe(1)
    expect(statistics().waits).toBe(1)
    client.destroy()
    await eventually(() => statistics().waits).toBe(0)
    await eventually(connected).toBe(0)
    expect(served.log).toEqual([])
  })
}
