"""The applications of contestants/gateway/servers.mjs, for uWSGI's async mode, which has the extension built in."""
import os

HEADERS = [("Content-Type", "text/plain"), ("Content-Length", "12")]
# What the suspended requests wait for: a fifo that nobody writes to until the end.
FIFO = os.environ.get("FIFO")


def application(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        # Of its own: in uWSGI one request at a time can wait for a descriptor.
        fd = os.open(FIFO, os.O_RDWR | os.O_NONBLOCK)
        try:
            yield environ["x-wsgiorg.fdevent.readable"](fd, 0)
        finally:
            os.close(fd)
    start_response("200 OK", HEADERS)
    yield b"hello, world"
