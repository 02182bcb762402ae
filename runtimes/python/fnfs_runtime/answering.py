# SPDX-License-Identifier: Apache-2.0
"""One call from its frame to its last frame: what serial, threaded and coroutines have in common.

Whatever a handler does, exactly one END or ERROR goes out for its call, and what it printed before."""
import os

from . import values
from .channel import BAD_REQUEST, DATA, END, ERROR, RESPONSE_MAX, TOO_LARGE, ProtocolError


async def _asynchronous_generator():
    yield


GENERATOR = type(_ for _ in ())
ASYNC_GENERATOR = type(_asynchronous_generator())
FLAGS = {values.BadRequest: BAD_REQUEST, values.TooLarge: TOO_LARGE}


class Call:
    """A FRAME_CALL taken apart: a head of lines, then the event."""

    __slots__ = ("id", "head", "event", "thread", "state", "leads")

    def __init__(self, id, payload):
        length = int.from_bytes(payload[:2], "little") + 2
        self.id = id
        self.head = str(payload[2:length], "utf-8").split("\n")
        self.event = payload[length:]
        if length > len(payload) or len(self.head) < 6:
            raise ProtocolError("a call without a whole head")


class Answering:
    def __init__(self, channel, output, handler, context):
        self.channel, self.output = channel, output
        self.handler, self.context = handler, context

    def invoke(self, call):
        """Runs the handler and gives what it returned."""
        id, log = call.id, self.output.log
        head = call.head
        context = self.context(
            head[0], int(head[1]), head[3], head[4], lambda level, text: log(id, level, text)
        )
        return self.handler(values.parse(call.event), context)

    def settle(self, call, result):
        """The last bytes of the response; those before them have been sent."""
        kind = type(result)
        if kind is str or kind is dict or result is None:
            return values.response(result)
        if hasattr(kind, "__await__"):
            result = self.wait(result)
            kind = type(result)
        if kind is GENERATOR:
            total = 0
            for value in result:
                total = self.piece(call, value, total)
            return b""
        if kind is ASYNC_GENERATOR:
            return self.wait(self.drain(call, result))
        return values.response(result)

    async def drain(self, call, generator):
        total = 0
        async for value in generator:
            total = self.piece(call, value, total)
        return b""

    def piece(self, call, value, total):
        data = values.piece(value)
        total += len(data)
        if total > RESPONSE_MAX:
            raise values.TooLarge(total)
        if data:
            self.channel.send(DATA, call.id, data)
        return total

    def wait(self, awaitable):
        """What a coroutine gives, for a handler that did not look like one."""
        import asyncio

        async def whole():
            return await awaitable

        return asyncio.run(whole())

    def succeed(self, call, data):
        self.finish(call, END, data, 0)

    def fail(self, call, error):
        try:
            from . import errors

            data = errors.describe(error)
        except BaseException:  # what it needs is shadowed by the user's modules
            data = values.error(type(error).__name__)
        self.finish(call, ERROR, data, FLAGS.get(type(error), 0))

    def finish(self, call, kind, payload, flags):
        self.output.before_end(call.id)
        if self.channel.forked:  # a child of the handler came back from it: not its call to answer
            os._exit(0)
        self.channel.send(kind, call.id, payload, flags)
        self.output.after_end()
