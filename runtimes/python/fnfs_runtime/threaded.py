# SPDX-License-Identifier: Apache-2.0
"""Several calls at once in threads: the main thread reads, and starts as many threads as there were
calls at one time.

A call that is cancelled has an exception raised in its thread, at the next line of Python it runs;
what sleeps in C wakes up first. A call is running, then either cancelled or closed, decided under the
lock: once closed no exception can be aimed at it any more."""
import threading
from _contextvars import ContextVar
from _queue import SimpleQueue

from .answering import Answering, Call
from .channel import CALL, CANCEL, STOP, ProtocolError
from .errors import Cancelled

RUNNING, CANCELLED, CLOSED = range(3)


def _raise_in(thread, exception):
    """Raises it in the thread; None takes back one that has not arrived."""
    try:
        import ctypes
    except ImportError:
        return
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(exception) if exception else None
    )


class Threaded(Answering):
    var = ContextVar("call", default=0)
    current = var.get

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.queue = SimpleQueue()
        self.lock = threading.Lock()
        self.quiet = threading.Condition(self.lock)
        self.calls = {}
        self.threads = 0

    def serve(self):
        while True:
            frame = self.channel.receive()
            if frame is None or frame[0] == STOP:
                break
            kind, id, payload = frame
            if kind == CALL:
                self.begin(Call(id, payload))
            elif kind == CANCEL:
                self.cancel(id)
            else:
                raise ProtocolError(f"a frame of type {kind} while serving")
        with self.lock:
            while self.calls:
                self.quiet.wait()

    def begin(self, call):
        call.state, call.thread = RUNNING, None
        with self.lock:
            self.calls[call.id] = call
            more = len(self.calls) > self.threads
        if more and not self.start_thread() and not self.threads:
            self.forget(call)
            self.fail(call, RuntimeError("no thread can be started"))
            return
        self.queue.put(call)

    def start_thread(self):
        try:
            threading.Thread(target=self.work, daemon=True).start()
        except RuntimeError:  # the limit of processes; the threads there are take the call later
            return False
        self.threads += 1
        return True

    def work(self):
        while True:
            call = self.queue.get()
            self.var.set(call.id)
            try:
                self.answer(call)
            finally:
                self.var.set(0)
                self.forget(call)

    def forget(self, call):
        with self.lock:
            self.calls.pop(call.id, None)
            if not self.calls:
                self.quiet.notify_all()

    def answer(self, call):
        data = failure = None
        try:
            try:
                self.claim(call)
                data = self.settle(call, self.invoke(call))
            except BaseException as error:
                failure = error
            self.close(call)
        except Cancelled as error:
            failure = error
        if failure:
            self.fail(call, failure)
        else:
            self.succeed(call, data)

    def claim(self, call):
        with self.lock:
            call.thread = threading.get_ident()
            if call.state == CANCELLED:
                raise Cancelled

    def close(self, call):
        with self.lock:
            cancelled = call.state == CANCELLED
            call.state = CLOSED
        if cancelled:
            _raise_in(call.thread, None)

    def cancel(self, id):
        with self.lock:
            call = self.calls.get(id)
            if call and call.state == RUNNING:
                call.state = CANCELLED
                if call.thread:
                    _raise_in(call.thread, Cancelled)
