export const module = 'epoll'

export function persistent({ reads, pass }, { Epoll }) {
  const index = new Map([...reads].map((fd, i) => [fd, i]))
  const poller = new Epoll((error, fd) => {
    if (error) throw error
    pass(index.get(fd))
  })
  reads.forEach((fd) => poller.add(fd, Epoll.EPOLLIN))
}

export function promise({ reads, pass }, { Epoll }) {
  const arrived = new Map()
  const poller = new Epoll((error, fd) => {
    if (error) throw error
    arrived.get(fd)()
  })
  const loop = async (fd, i) => {
    const wait = (arm) =>
      new Promise((resolve) => {
        arrived.set(fd, resolve)
        poller[arm](fd, Epoll.EPOLLIN | Epoll.EPOLLONESHOT)
      })
    await wait('add')
    for (;;) {
      pass(i)
      await wait('modify')
    }
  }
  reads.forEach((fd, i) => void loop(fd, i))
}
