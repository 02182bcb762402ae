# SPDX-License-Identifier: Apache-2.0
"""What a process that waits for its function does meanwhile: it imports the rest of this runtime and what most
handlers import first, and goes once through what a start and a call go through, for a start would wait for that.

What is imported is of the standard library and opens, starts and reads nothing. A handler sees nothing of it but that
it is quick: a file of its own that has the name of such a module is what it imports, as ever (forget())."""
import os
import sys

BEFORE = set(sys.modules)

import base64  # noqa: E402 F401
import collections  # noqa: E402 F401
import datetime  # noqa: E402 F401
import functools  # noqa: E402 F401
import hashlib  # noqa: E402 F401
import json  # noqa: E402 F401
import logging  # noqa: E402 F401
import math  # noqa: E402 F401
import random  # noqa: E402 F401
import re  # noqa: E402 F401
import traceback  # noqa: E402 F401
import urllib.parse  # noqa: E402 F401
import uuid  # noqa: E402 F401

from . import answering, context, errors, loading, output, serial, values  # noqa: E402 F401

# uuid asks platform, which keeps the answer: the name of the host, where this was imported.
if hasattr(sys.modules.get("platform"), "_uname_cache"):
    sys.modules["platform"]._uname_cache = None

IMPORTED = {name.partition(".")[0] for name in set(sys.modules) - BEFORE} - {__package__}


rehearsed = False


def rehearse(sample, defaults):
    """Loads the template and calls it, without a channel; then it is gone again. Once: forks have it behind them."""
    global rehearsed
    if rehearsed:
        return
    rehearsed = True
    path, stdout, write_bytecode = list(sys.path), sys.stdout, sys.dont_write_bytecode
    sys.path[0] = sample
    sys.dont_write_bytecode = True
    try:
        with open(os.devnull, "w") as sys.stdout:
            handler = loading.load(sample, "index.handler", 2)
            loading.is_async(handler)
            made = context.context_class(defaults)("", 0, "", "", print)
            values.response(handler(values.parse(b'{"name": "\\u00e4"}'), made))
    except Exception:  # a start is slower then, and says itself what is wrong
        pass
    finally:
        sys.path[:], sys.stdout, sys.dont_write_bytecode = path, stdout, write_bytecode
        sys.modules.pop("index", None)
        sys.path_importer_cache.pop(sample, None)


def forget(code):
    """The function has files of these names."""
    try:
        names = {name.partition(".")[0] for name in os.listdir(code)} & IMPORTED
    except OSError:
        return
    for name in list(sys.modules) if names else ():
        if name.partition(".")[0] in names:
            del sys.modules[name]
