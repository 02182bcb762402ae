# SPDX-License-Identifier: Apache-2.0
"""One call at a time, in the main thread. This is the path that has to be short."""
from .answering import Answering, Call
from .channel import CALL, CANCEL, STOP, ProtocolError


class Serial(Answering):
    call = 0

    def current(self):
        return self.call

    def serve(self):
        receive = self.channel.receive
        while True:
            frame = receive()
            if frame is None or frame[0] == STOP:
                return
            kind, id, payload = frame
            if kind == CALL:
                self.call = id
                self.answer(Call(id, payload))
                self.call = 0
            elif kind != CANCEL:  # the call a CANCEL speaks of has just been answered
                raise ProtocolError(f"a frame of type {kind} while serving")

    def answer(self, call):
        try:
            data = self.settle(call, self.invoke(call))
        except BaseException as error:
            self.fail(call, error)
        else:
            self.succeed(call, data)
