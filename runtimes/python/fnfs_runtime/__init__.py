# SPDX-License-Identifier: Apache-2.0
"""The Python runtime of fnfs; the contract is runtimes/README.md.

channel     frames over the two inherited descriptors
values      JSON in, responses out
context     what a handler gets beside its event
loading     from "index.handler" to something that can be called
errors      from an exception to the error JSON
output      print, sys.stderr and logging
answering   one call from its frame to its last frame
serial      one call at a time, in the main thread
threaded    `def` handlers, several at once
coroutines  `async def` handlers, on one loop
main        the life of an instance

Starting must be quick, so json (it draws in re), traceback, threading and asyncio are imported only
by what needs them."""
