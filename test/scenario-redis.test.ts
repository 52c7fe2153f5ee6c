import { readdirSync } from 'node:fs'
import net from 'node:net'
import { statistics } from 'fdevent'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { importExample, leave, serveExample } from './helpers/examples.js'
import { eventually } from './helpers/owned.js'
import { freePort, hasRedis, missing, type Redis, startRedis } from './helpers/servers.js'
import { ask, Raw, type Served } from './helpers/wsgi.js'

const asking = (channel: string): string => `GET /${channel} HTTP/1.1\r\nHost: x\r\n\r\n`

/** What a client has been sent, without the chunks' lengths. */
const events = ({ received }: Raw): string[] => received.match(/^data: .*$/gm) ?? []

if (!missing('redis-server', hasRedis)) {
  let redis: Redis
  beforeAll(async () => {
    redis = await startRedis()
    process.env['REDIS_PORT'] = String(redis.port)
    return redis.stop
  }, 90_000)

  /** A connection that gives commands, and their replies in order. */
  async function commands(): Promise<(...words: string[]) => Promise<unknown>> {
    const { command, Replies } = (await importExample('resp')) as any
    const replies = new Replies()
    const waiting: ((reply: unknown) => void)[] = []
    const socket = net.connect(redis.port, '127.0.0.1').on('data', (bytes) => {
      for (const reply of replies.push(bytes)) waiting.shift()?.(reply)
    })
    onTestFinished(() => void socket.destroy())
    return (...words) => {
      socket.write(command(...words))
      return new Promise((resolve) => waiting.push(resolve))
    }
  }

  async function subscribed(served: Served, channel: string): Promise<Raw> {
    const client = await Raw.connect(served)
    client.send(asking(channel))
    await client.until(/: subscribed/)
    return client
  }

  test("what is published reaches 100 clients, each message each of them once and in order, and no other channel's", async () => {
    const [redisCommand, served] = [await commands(), await serveExample('subscribe')]
    const clients = await Promise.all(Array.from({ length: 100 }, () => subscribed(served, 'news')))
    const other = await subscribed(served, 'weather')
    // Each waits for two descriptors in one wait.
    expect(statistics().waits).toBe(101)
    for (let i = 0; i < 20; i += 1) expect(await redisCommand('PUBLISH', 'news', `number ${i}`)).toBe(100)
    expect(await redisCommand('PUBLISH', 'weather', 'rain\nand wind: über')).toBe(1)
    const expected = Array.from({ length: 20 }, (_, i) => `data: number ${i}`)
    for (const client of clients) {
      await client.until(/number 19/)
      expect(events(client)).toEqual(expected)
    }
    await other.until(/wind/)
    expect(events(other).map((line) => Buffer.from(line, 'latin1').toString())).toEqual([
      'data: rain',
      'data: and wind: über',
    ])
    await leave(other, ...clients)
    expect(served.log).toEqual([])
  })

  test('clients that leave are unsubscribed, and the others are still served', async () => {
    const [redisCommand, served] = [await commands(), await serveExample('subscribe')]
    const descriptors = (): number => readdirSync('/proc/self/fd').length
    await redisCommand('PING')
    const before = descriptors()
    const clients = await Promise.all(Array.from({ length: 40 }, () => subscribed(served, 'news')))
    for (const [i, client] of clients.slice(0, 30).entries()) {
      if (i % 3 === 0) client.destroy()
      else if (i % 3 === 1) client.socket.resetAndDestroy()
      else client.socket.end()
    }
    await eventually(() => statistics().waits).toBe(10)
    await expect.poll(() => redisCommand('PUBSUB', 'NUMSUB', 'news')).toEqual(['news', 10])
    await redisCommand('PUBLISH', 'news', 'to those who stayed')
    for (const client of clients.slice(30)) await client.until(/to those who stayed/)
    await leave(...clients)
    await eventually(descriptors).toBeLessThanOrEqual(before)
    expect(served.log).toEqual([])
  })

  test('a client that says something more ends its subscription', async () => {
    const [redisCommand, served] = [await commands(), await serveExample('subscribe')]
    const client = await subscribed(served, 'news')
    client.send(asking('news'))
    await eventually(() => client.received.match(/: subscribed/g)?.length).toBe(2)
    expect(client.received).toMatch(/\r\n0\r\n\r\nHTTP\/1.1 200 OK/)
    expect(await redisCommand('PUBSUB', 'NUMSUB', 'news')).toEqual(['news', 1])
    await leave(client)
  })

  test('a message of 5 MB', async () => {
    const [redisCommand, served] = [await commands(), await serveExample('subscribe')]
    const client = await subscribed(served, 'news')
    await redisCommand('PUBLISH', 'news', `${'x'.repeat(5_000_000)}.`)
    await client.until(/x\.\n\n/)
    expect(events(client)[0]).toHaveLength(5_000_007)
    await leave(client)
  })

  test('Redis hangs up: the connection is cut; Redis is not there: 502', async () => {
    const [redisCommand, served] = [await commands(), await serveExample('subscribe')]
    const client = await subscribed(served, 'news')
    await redisCommand('CLIENT', 'KILL', 'TYPE', 'pubsub')
    expect(await client.untilClosed()).not.toMatch(/\r\n0\r\n/)
    expect(served.log).toEqual([expect.stringMatching(/Redis has closed the connection/)])
    process.env['REDIS_PORT'] = String(await freePort())
    try {
      expect(await ask(served, '/news')).toMatchObject({ status: 502, body: 'Redis cannot be reached\n' })
    } finally {
      process.env['REDIS_PORT'] = String(redis.port)
    }
  })
}
