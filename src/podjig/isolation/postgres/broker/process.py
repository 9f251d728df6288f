"""The broker's process.

Run as a script by an isolated interpreter (``python -I -S``), with a listening Unix socket as its standard input. Its
arguments are the socket's folder, and where podjig and psycopg are found.
"""

from __future__ import annotations

import os
import socket
import sys


def main(arguments: list[str]) -> int:
    """Serve until nobody needs it any more."""
    os.chdir("/")  # keep nobody's folder busy
    os.closerange(3, 65536)  # nor a pipe that whoever started the tests reads to its end
    folder, *path = arguments
    # Behind the standard library: nothing of the user's may stand in for that.
    sys.path += path
    from pathlib import Path

    from podjig.isolation.postgres.broker.broker import Broker
    from podjig.isolation.postgres.broker.launch import remove_stale

    listener = socket.socket(fileno=os.dup(0))
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)
    broker = Broker(listener, Path(folder))
    try:
        broker.run()
    finally:
        broker.put_away()
        remove_stale()
    sys.stderr.flush()
    os._exit(0)  # a thread may hang with its server


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
