# SPDX-License-Identifier: Apache-2.0
"""The life of an instance: FRAME_INIT, load, initializer, FRAME_READY, calls, the end.

Exit statuses: 0 after FRAME_STOP or the end of the stream, 1 after FRAME_FAILED, 70 when the daemon
said something the contract does not allow."""
import atexit
import os
import sys
import time

from . import loading, values
from .channel import FAILED, INIT, READY, Channel, ProtocolError, leave
from .context import context_class

# Started before there is a function for it, which FRAME_INIT then brings with its whole environment.
PARKED = "RUNTIME_PARKED" in os.environ
DEFAULTS = {
    "function": "",
    "version": "latest",
    "handler": "index.handler",
    "initializer": "",
    "timeout_ms": 3000,
    "init_timeout_ms": 10000,
    "memory_mb": 128,
    "cpu_millicores": 0,
    "concurrency": 1,
    "package": "default",
    "project": "local",
    "region": "local",
    "environment": {},
    "code": "/opt/function/code",
}


def main():
    channel = Channel()
    status = 0
    try:
        if PARKED:
            from . import ahead

            ahead.rehearse(f"{sys.path[0]}/template", DEFAULTS)
        frame = channel.receive()
        if frame:
            status = live(channel, frame)
    except ProtocolError as error:
        channel.complain(error)
        status = 70
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 70
    if not channel.forked:
        atexit._run_exitfuncs()
    leave(status)


def live(channel, frame):
    kind, _, payload = frame
    if kind != INIT:
        raise ProtocolError(f"a frame of type {kind} before FRAME_INIT")
    function = DEFAULTS | values.parse(payload)
    prepare(function)
    try:
        serving = start(function, channel)
    except BaseException as error:
        from . import errors

        channel.send(FAILED, 0, errors.describe_start(error, function))
        return 1
    channel.send(READY, 0)
    serving.serve()
    return 0


def prepare(function):
    """Makes the process look to the code as if Python had been started for it."""
    code = function["code"]
    if PARKED:
        from . import ahead

        ahead.forget(code)
        del os.environ["RUNTIME_PARKED"]
        os.environ.update(function["variables"])
        time.tzset()
    for key, value in function["environment"].items():
        os.environ.setdefault(key, value)
    library = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = (
        f"/usr/local/lib/{library}/dist-packages",
        "/usr/lib/python3/dist-packages",
        f"{sys.prefix}/lib/{library}/site-packages",
    )
    sys.path[0] = code
    sys.path += [place for place in packages if os.path.isdir(place)]
    sys.argv = [code]
    sys.dont_write_bytecode = True
    sys.modules["builtins"].exit = sys.modules["builtins"].quit = sys.exit


def start(function, channel):
    """Loads the code and runs the initializer; gives what will serve the calls."""
    from . import output

    several = function["concurrency"] > 1
    serving = None
    current = lambda: serving.current() if serving else 0
    printed = output.SharedOutput(channel, current) if several else output.PlainOutput()
    write = lambda level, text: printed.log(current(), level, text)
    handler = loading.load(function["code"], function["handler"], 2)
    if loading.is_async(handler):
        from .coroutines import Coroutines as Serving
    elif several:
        from .threaded import Threaded as Serving
    else:
        from .serial import Serial as Serving
    context = context_class(function)
    serving = Serving(channel, printed, handler, context)
    if function["initializer"]:
        initialize(function, serving, context, write)
    output.hook_logging(write)
    printed.before_end(0)
    return serving


def initialize(function, serving, context, write):
    initializer = loading.load(function["code"], function["initializer"], 1)
    deadline = int(time.time() * 1000) + function["init_timeout_ms"]
    try:
        result = initializer(context("", deadline, "", "", write))
        if hasattr(type(result), "__await__"):
            serving.wait(result)
    except BaseException as error:
        from .errors import Initialization

        raise Initialization from error
