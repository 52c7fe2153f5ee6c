/** Ends the command with a message instead of a stack: somebody else than the programmer of the command can mend it. */
export class Failure extends Error {
  /** 2: the command line was wrong; 1: anything else. */
  readonly status: number

  constructor(message: string, status = 1) {
    super(message)
    this.status = status
  }
}

/** Why a server could not listen, in words. */
export function explainListening(error: NodeJS.ErrnoException, host: string, port: number): Failure {
  switch (error.code) {
    case 'EADDRINUSE':
      return new Failure(`port ${port} on ${host} is in use; --port names another, --port 0 takes any free one`)
    case 'EACCES':
      return new Failure(`this user may not listen on port ${port}; ports from 1024 on need no privilege`)
    case 'EADDRNOTAVAIL':
      return new Failure(`${host} is no address of this machine`)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new Failure(`${host} is no address, and no name that has one`)
    default:
      return new Failure(`cannot listen on port ${port} of ${host}: ${error.message}`)
  }
}
