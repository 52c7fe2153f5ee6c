const INTERESTS = { readable: 'EPOLLIN', writable: 'EPOLLOUT', exceptional: 'EPOLLPRI' }
const BITS = ['EPOLLIN', 'EPOLLPRI', 'EPOLLOUT', 'EPOLLERR', 'EPOLLHUP', 'EPOLLRDHUP']

export default {
  name: 'epoll',
  module: 'epoll',
  load: ({ default: { Epoll } }) => ({
    watch(fd, interest, listener) {
      const epoll = new Epoll((error, _fd, events) => {
        if (error) listener(error)
        else listener(null, BITS.filter((bit) => events & Epoll[bit]).join('+'))
      })
      epoll.add(fd, Epoll[INTERESTS[interest]])
      return { stop: () => epoll.remove(fd).close() }
    },
    priority: true,
  }),
}
