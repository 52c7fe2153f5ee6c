export const module = '@serialport/bindings-cpp/dist/poller.js'

export function callback({ reads, pass }, { Poller }) {
  reads.forEach((fd, i) => {
    const poller = new Poller(fd)
    const onReadable = (error) => {
      if (error) throw error
      pass(i)
      poller.once('readable', onReadable)
    }
    poller.once('readable', onReadable)
  })
}

export function promise({ reads, pass }, { Poller }) {
  const loop = async (fd, i) => {
    const poller = new Poller(fd)
    const wait = () =>
      new Promise((resolve, reject) => poller.once('readable', (error) => (error ? reject(error) : resolve())))
    for (;;) {
      await wait()
      pass(i)
    }
  }
  reads.forEach((fd, i) => void loop(fd, i))
}
