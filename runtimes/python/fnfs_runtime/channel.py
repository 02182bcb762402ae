# SPDX-License-Identifier: Apache-2.0
"""Frames over descriptors 3 and 4: a header of 16 bytes, little-endian, and a payload.

The descriptors are moved high up and closed at exec, so that a handler which closes what it does not
know, or starts programs, does not meet them by accident. A child that a handler forks loses them: it
must neither answer a call nor take one.

A frame goes out in one write. The lock is re-entrant because a finalizer may log at any moment, even
while its own thread is sending."""
import os
import sys
from _thread import RLock
from struct import Struct

INIT, CALL, CANCEL, STOP = 1, 2, 3, 4
READY, FAILED, DATA, END, ERROR, LOG = 16, 17, 18, 19, 20, 21

BAD_REQUEST, TOO_LARGE = 1, 2
DEBUG, INFO, WARNING, ERROR_LEVEL = 0, 1, 2, 3

RESPONSE_MAX = 6 << 20
PAYLOAD_MAX = 8 << 20
LOG_MAX = 90 << 10
READ_SIZE = 64 << 10
HEADER = Struct("<IBBHQ")


class ProtocolError(Exception):
    """The daemon said something that the contract does not allow."""


def _move(fd):
    for place in (1000, 200, 60, 20):
        try:
            os.dup2(fd, place, inheritable=False)
        except OSError:
            continue
        os.close(fd)
        return place
    os.set_inheritable(fd, False)
    return fd


class Channel:
    def __init__(self):
        self.input = _move(3)
        os.dup2(4, self.input + 1, inheritable=False)
        os.close(4)
        self.output = self.input + 1
        self.data = b""
        self.lock = RLock()
        self.forked = False
        os.register_at_fork(after_in_child=self._fork)

    def _fork(self):
        self.forked = True
        self.lock = RLock()
        for fd in (self.input, self.output):
            try:
                os.close(fd)
            except OSError:
                pass

    def receive(self):
        """The next frame as (type, call, payload), waiting for it; None at the end."""
        while True:
            frame = self.next()
            if frame:
                return frame
            if not self.fill():
                return None

    def fill(self):
        """Reads once; False at the end of the stream."""
        try:
            more = os.read(self.input, READ_SIZE)
        except OSError as error:
            raise ProtocolError(f"reading requests: {error}") from None
        if not self.data:
            self.data = more
        else:
            if type(self.data) is bytes:
                self.data = bytearray(self.data)
            self.data += more
        return more != b""

    def next(self):
        """A frame from what was read, or None while it is not whole."""
        data = self.data
        if len(data) < 16:
            return None
        length, kind, flags, zero, call = HEADER.unpack_from(data)
        if zero or flags or length > PAYLOAD_MAX or not INIT <= kind <= STOP:
            raise ProtocolError(f"a frame of type {kind} and length {length}")
        whole = 16 + length
        if len(data) < whole:
            return None
        self.data = data[whole:] if len(data) > whole else b""
        return kind, call, data[16:whole]

    def send(self, kind, call, payload=b"", flags=0):
        frame = HEADER.pack(len(payload), kind, flags, 0, call) + payload
        try:
            with self.lock:
                sent = os.write(self.output, frame)
                while sent < len(frame):
                    sent += os.write(self.output, memoryview(frame)[sent:])
        except OSError:  # the daemon is gone, or the handler closed it: nobody can be told
            os._exit(1)

    def log(self, call, level, text):
        data = text.encode("utf-8", "backslashreplace")
        if self.forked:
            os.write(2, data + b"\n")
            return
        level = bytes((level,))
        for start in range(0, len(data), LOG_MAX) or (0,):
            self.send(LOG, call, level + data[start : start + LOG_MAX])


    def complain(self, error):
        try:
            os.write(2, f"fnfs: {error}\n".encode())
        except OSError:
            pass


def leave(status):
    """Ends the process at once, with what was printed, without waiting for anybody's threads."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    os._exit(status)
