# SPDX-License-Identifier: Apache-2.0
"""What a function prints.

With one call at a time print goes plainly to descriptor 1, line by line: the daemon knows whose it is.
With several, each line is sent as a log frame under the call that is current in the printing context.
A handler that closes or replaces its descriptors spoils them for itself only: after each call they
are put back."""
import os
import sys

from .channel import INFO

INHERITED = {"encoding": "utf-8", "errors": "backslashreplace", "line_buffering": True}


class PlainOutput:
    """Standard output and error of an instance that serves one call at a time."""

    def __init__(self):
        self.stdout, self.stderr = sys.stdout, sys.stderr
        self.saved = self._save()
        self.stdout.reconfigure(**INHERITED)
        self.stderr.reconfigure(**INHERITED)

    @staticmethod
    def _save():
        for place in (1003, 203, 63, 23):
            try:
                return os.dup2(1, place, inheritable=False)
            except OSError:
                continue
        return None

    def before_end(self, call):
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                pass

    def log(self, call, level, text):
        """A record goes where print goes, marked with its level, so that both keep their order."""
        self.before_end(call)
        marked = "".join(f"\x1e{level}{line}\n" for line in text.split("\n"))
        data = marked.encode("utf-8", "backslashreplace")
        place = 1 if self.saved is None else self.saved
        try:
            while data:
                data = data[os.write(place, data):]
        except OSError:
            pass  # the handler closed what it logs to

    def after_end(self):
        """Puts 1 and 2 back. Two small system calls, made after the answer has gone out."""
        if self.saved is not None:
            try:
                os.dup2(self.saved, 1)
                os.dup2(self.saved, 2)
            except OSError:
                self.saved = None
        if self.stdout.closed:
            self.stdout = sys.stdout = open(1, "w", closefd=False, **_opened())
        if self.stderr.closed:
            self.stderr = sys.stderr = open(2, "w", closefd=False, **_opened())


def _opened():
    return {"encoding": "utf-8", "errors": "backslashreplace", "buffering": 1}


class _Binary:
    """The `.buffer` of a CallOutput."""

    def __init__(self, text):
        self.text = text

    def write(self, data):
        self.text.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)

    def flush(self):
        self.text.flush()

    def fileno(self):
        return self.text.fileno()


class CallOutput:
    """sys.stdout or sys.stderr of an instance that serves several calls at once."""

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    closed = False
    line_buffering = True
    mode = "w"

    def __init__(self, channel, current, fd):
        self.channel, self.current, self.fd = channel, current, fd
        self.name = "<stdout>" if fd == 1 else "<stderr>"
        self.partial = {}  # by call: the beginning of a line
        self.buffer = _Binary(self)

    def write(self, text):
        call = self.current()
        whole, newline, rest = (self.partial.pop(call, "") + text).rpartition("\n")
        if rest:
            self.partial[call] = rest
            if len(rest) > 64 << 10:
                self.finish(call)
        if newline:
            for line in whole.split("\n"):
                self.channel.log(call, INFO, line)
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def finish(self, call):
        """Sends the last line of a call, which had no newline."""
        rest = self.partial.pop(call, "")
        if rest:
            self.channel.log(call, INFO, rest)

    def flush(self):
        pass

    def close(self):
        pass

    def fileno(self):
        return self.fd

    def isatty(self):
        return False

    def readable(self):
        return False

    seekable = readable

    def writable(self):
        return True

    def reconfigure(self, **_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class SharedOutput:
    """As PlainOutput, for several calls at once."""

    def __init__(self, channel, current):
        self.channel = channel
        self.stdout = sys.stdout = CallOutput(channel, current, 1)
        self.stderr = sys.stderr = CallOutput(channel, current, 2)

    def before_end(self, call):
        self.stdout.finish(call)
        self.stderr.finish(call)

    def log(self, call, level, text):
        self.channel.log(call, level, text)

    def after_end(self):
        pass


def hook_logging(write):
    """
    Lets the standard logging module's handler of last resort send its records with their level. It
    serves only while a program has configured nothing, so basicConfig() works as everywhere.
    """
    logging = sys.modules.get("logging")
    if not logging or not getattr(logging, "lastResort", None):
        return

    class LastResort(logging.Handler):
        def emit(self, record):
            try:
                write(min(max(record.levelno // 10 - 1, 0), 3), self.format(record))
            except Exception:
                self.handleError(record)

    logging.lastResort = LastResort(logging.WARNING)
