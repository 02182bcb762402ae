# SPDX-License-Identifier: Apache-2.0
"""`async def` handlers, as tasks of one loop that lives as long as the instance: what a call leaves
behind goes on, and clients kept between calls stay usable."""
import asyncio
from _contextvars import ContextVar

from .answering import ASYNC_GENERATOR, Answering, Call
from .channel import CALL, CANCEL, STOP, ProtocolError, leave
from .errors import Cancelled


class Coroutines(Answering):
    var = ContextVar("call", default=0)
    current = var.get

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.tasks = {}
        self.stopping = False

    def wait(self, awaitable):
        """Before serving: for an initializer."""

        async def whole():
            return await awaitable

        return self.loop.run_until_complete(whole())

    def serve(self):
        self.loop.add_reader(self.channel.input, self.readable)
        self.take()  # what came with FRAME_INIT
        while not self.stopping or self.tasks:
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt):  # a task of the user's; its call gets the error
                pass

    def readable(self):
        try:
            if not self.channel.fill():
                self.stop()
            self.take()
        except ProtocolError as error:
            self.channel.complain(error)
            leave(70)

    def take(self):
        while frame := self.channel.next():
            kind, id, payload = frame
            if kind == CALL:
                self.tasks[id] = self.loop.create_task(self.answer(Call(id, payload)))
            elif kind == CANCEL and id in self.tasks:
                self.tasks[id].cancel()
            elif kind == STOP:
                self.stop()
            elif kind != CANCEL:
                raise ProtocolError(f"a frame of type {kind} while serving")

    def stop(self):
        self.stopping = True
        self.loop.remove_reader(self.channel.input)
        if not self.tasks:
            self.loop.stop()

    async def answer(self, call):
        self.var.set(call.id)
        try:
            result = self.invoke(call)
            if hasattr(type(result), "__await__"):
                result = await result
            if type(result) is ASYNC_GENERATOR:
                data = await self.drain(call, result)
            else:
                data = self.settle(call, result)
        except asyncio.CancelledError:
            self.fail(call, Cancelled())
        except BaseException as error:
            self.fail(call, error)
        else:
            self.succeed(call, data)
        self.tasks.pop(call.id, None)
        if self.stopping and not self.tasks:
            self.loop.stop()
