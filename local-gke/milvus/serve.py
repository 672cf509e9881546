"""Serves milvus-lite on a free loopback port, which is printed, until standard input is closed."""

import signal
import sys
import tempfile

from milvus_lite.adapter.grpc.server import start_server_in_thread

# A Ctrl-C reaches the whole process group; what ends this process is its parent.
signal.signal(signal.SIGINT, signal.SIG_IGN)

with tempfile.TemporaryDirectory(prefix="milvus-lite-") as directory:
    server, database, port = start_server_in_thread(directory)
    print(port, flush=True)
    # The parent holds the other end of this pipe: the kernel closes it however the parent ends.
    sys.stdin.read()
    server.stop(grace=None)
    database.close()
