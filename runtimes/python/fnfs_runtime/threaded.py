# SPDX-License-Identifier: Apache-2.0
"""Several calls at once in threads, and no thread woken for one that comes alone.

One thread leads: it reads, and a call that comes while no other runs it runs itself. Meanwhile another
thread stands by: it waits (epoll) for the next frame, and takes the lead should one come before the
call has ended; the thread that led stands by then, once its call is over. So a call alone costs two small
system calls more than in serial.py, and no switch between threads. While calls run, and for some calls
after that, the leader hands all to workers, of which there are as many as there were calls at one time: taking
the lead is dearer than handing a call over.

A call that is cancelled has an exception raised in its thread, at the next line of Python it runs;
what sleeps in C wakes up first. A call is running, then either cancelled or closed, decided under the
lock: once closed no exception can be aimed at it any more."""
import os
import select
import threading
from _contextvars import ContextVar
from _queue import SimpleQueue

from .answering import Answering, Call
from .channel import CALL, CANCEL, STOP, ProtocolError
from .errors import Cancelled

RUNNING, CANCELLED, CLOSED = range(3)
CALLS_ALONE = 32  # one after the other before the leader runs them itself


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
        self.threads = 0  # workers
        self.company = 0  # calls to come until one counts as alone
        self.lent = False  # the leader runs a call; whoever stands by may take the lead
        self.watched = False  # a thread stands by, or will
        self.over = threading.Lock()
        self.failure = None

    def serve(self):
        """The main thread does nothing but wait: it must be there for the end."""
        self.epoll = self.open_epoll()
        self.over.acquire()
        if self.epoll and self.start(self.take_turns, True):
            self.over.acquire()
        else:
            self.epoll = None
            self.take_turns(True)
        if self.failure:
            raise self.failure

    def open_epoll(self):
        """High up, as the channel's own descriptors; None if there is none to be had."""
        try:
            low = select.epoll()
            high = os.dup2(low.fileno(), self.channel.input + 2, inheritable=False)
            low.close()
            epoll = select.epoll.fromfd(high)
            epoll.register(self.channel.input, 0)
            return epoll
        except OSError:
            return None

    def start(self, work, *arguments):
        try:
            threading.Thread(target=work, args=arguments, daemon=True).start()
        except RuntimeError:  # the limit of processes
            return False
        return True

    # --- the thread that leads and the one that stands by ---

    def take_turns(self, leads):
        try:
            while self.lead() if leads else self.stand_by():
                leads = not leads
            if not leads:
                return
            with self.lock:
                while self.calls:
                    self.quiet.wait()
        except BaseException as error:
            self.failure = error
        self.over.release()

    def lead(self):
        """True once somebody else leads, False at the end."""
        channel = self.channel
        while True:
            frame = channel.receive()
            if frame is None or frame[0] == STOP:
                return False
            kind, id, payload = frame
            if kind == CALL:
                if not self.take(Call(id, payload)):
                    return True
            elif kind == CANCEL:
                self.cancel(id)
            else:
                raise ProtocolError(f"a frame of type {kind} while serving")

    def take(self, call):
        """Runs the call here if it is alone; False when the lead went to another thread meanwhile."""
        call.state, call.thread, call.leads = RUNNING, None, True
        if self.calls or self.channel.data:
            self.company = CALLS_ALONE
        elif self.company:
            self.company -= 1
        if self.company or not self.lend(call):
            call.leads = False
            self.begin(call)
            return True
        self.run(call)
        return call.leads

    def lend(self, call):
        if not self.epoll:
            return False
        if not self.watched:
            self.watched = self.start(self.take_turns, False)
        try:
            self.epoll.modify(self.channel.input, select.EPOLLIN)
        except OSError:  # a handler closed it
            self.epoll = None
        if not self.epoll or not self.watched:
            return False
        with self.lock:
            self.calls[call.id] = call
            self.lent = True
        return True

    def take_back(self):
        """Whether the lead is still ours; nobody can take it from here on."""
        with self.lock:
            lent, self.lent = self.lent, False
        if lent:
            self.ignore()
        return lent

    def ignore(self):
        try:
            self.epoll.modify(self.channel.input, 0)
        except (OSError, AttributeError):
            self.epoll = None

    def stand_by(self):
        """True once the lead has been taken, False when there is nothing left to wait for."""
        epoll, taken, ended = self.epoll, False, False
        while not taken and not ended:
            try:
                events = epoll.poll()
                ended = any(event & select.EPOLLHUP for _, event in events)
            except (OSError, ValueError, AttributeError):  # a handler closed it
                ended = True
            with self.lock:
                taken, self.lent = self.lent, False
                self.watched = taken or not ended
        if taken:
            self.ignore()
        return taken

    # --- workers ---

    def begin(self, call):
        with self.lock:
            self.calls[call.id] = call
            more = len(self.calls) > self.threads
        if more and not self.start_worker() and not self.threads:
            self.forget(call)
            self.fail(call, RuntimeError("no thread can be started"))
            return
        self.queue.put(call)

    def start_worker(self):
        started = self.start(self.work)
        self.threads += started
        return started  # if not, the workers there are take the call later

    def work(self):
        while True:
            self.run(self.queue.get())

    def run(self, call):
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
        if call.leads:
            call.leads = self.take_back()
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
