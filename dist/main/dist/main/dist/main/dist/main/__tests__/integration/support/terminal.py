"""Runs a program in a terminal of 100 columns, and prints what the terminal gets. The first argument is a pattern:
when the program has written it, somebody presses Ctrl-C. An empty one stands for never."""

import os
import pty
import re
import struct
import sys
import termios
from fcntl import ioctl

CTRL_C = b"\x03"

pattern, *command = sys.argv[1:]
child, terminal = pty.fork()
if child == 0:
    ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    os.execvp(command[0], command)

written = b""
has_pressed = pattern == ""
while True:
    try:
        text = os.read(terminal, 65536)
    except OSError:  # Linux: the program has closed the terminal.
        break
    if not text:
        break
    written += text
    sys.stdout.buffer.write(text)
    if not has_pressed and re.search(pattern.encode(), written):
        os.write(terminal, CTRL_C)
        has_pressed = True
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
