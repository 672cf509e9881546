"""Serves milvus-lite on a free loopback port until standard input is closed. Prints the port."""

import signal
import sys
import tempfile

from milvus_lite.adapter.grpc.server import start_server_in_thread

# A Ctrl-C reaches the whole process group, but only the parent may end this process.
signal.signal(signal.SIGINT, signal.SIG_IGN)

with tempfile.TemporaryDirectory(prefix="milvus-lite-") as directory:
    server, database, port = start_server_in_thread(directory)
    print(port, flush=True)
    # The parent holds the other end of this pipe. The kernel closes it even if the parent is killed.
    sys.stdin.read()
    server.stop(grace=None)
    database.close()
