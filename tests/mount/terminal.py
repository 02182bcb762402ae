# SPDX-License-Identifier: Apache-2.0
"""A shell on a pseudo-terminal, typed into as a person would."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

PROMPT = "fnfs-test$ "
ESCAPES = re.compile(r"\x1b(\[[0-9;?>=]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][0-9A-B]|[=>78])")


class Terminal:
    """bash on a terminal of 24 lines and 100 columns."""

    def __init__(self, environment, directory):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"],
                       {**environment, "PS1": PROMPT, "TERM": "xterm", "HISTFILE": ""})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.until(PROMPT)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, text, seconds=60):
        """What appeared up to and with the text, escape sequences left out."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, f"never appeared: {text!r}; on the terminal is:\n{self.seen}"
            self.seen = ESCAPES.sub("", self.seen + os.read(self.fd, 65536).decode("utf-8", "replace"))
        before, self.seen = self.seen.split(text, 1)
        return before + text

    def run(self, command):
        """The output of a command line."""
        self.type(command + "\n")
        output = self.until(PROMPT).replace("\r\n", "\n").replace("\r", "")
        echoed, _, output = output.partition("\n")
        return output[:-len(PROMPT)]

    def edit(self, command, lines):
        """Opens vim, types the lines (those that begin with a colon are its commands), saves."""
        self.type(command + "\n")
        self.until(f'"{command.split()[-1]}"')  # vim says what it has read, or that it is new
        for line in lines:
            if line.startswith(":"):
                self.type(line + "\r")
        text = [line for line in lines if not line.startswith(":")]
        if text:
            # ctrl-U takes away the indentation that vim proposes
            self.type("i" + "\r".join("\x15" * bool(n) + line for n, line in enumerate(text)) + "\x1b")
        self.type(":wq\r")
        self.until(PROMPT)
