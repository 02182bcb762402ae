# SPDX-License-Identifier: Apache-2.0
"""From an exception to {"errorMessage", "errorType", "stackTrace"}.

Imported when something went wrong, so traceback may cost what it costs. Of the stack only the user's
part is shown: frames of this runtime and of the import machinery tell nobody anything."""
import traceback

from . import loading, values

MESSAGE_CHARACTERS, LINE_CHARACTERS, STACK_LINES = 64 << 10, 4 << 10, 200
HERE = __file__.rpartition("/")[0] + "/"


class Cancelled(BaseException):
    """Raised inside a call that its caller gave up."""


class Initialization(Exception):
    """The initializer raised; the cause says what."""


def describe(error, prefix=""):
    """The error JSON, in bytes; whatever the exception does when asked about itself."""
    try:
        return _encode(prefix + _message(error), _kind(error), _stack(error))
    except BaseException as trouble:
        kind = type(error).__name__
        return _encode(f"{prefix}{kind} ({type(trouble).__name__} while describing it)", kind, [])


def describe_start(error, function):
    """The same for what kept an instance from starting."""
    if isinstance(error, Initialization):
        return describe(error.__cause__, "function initialization exception, error: ")
    if isinstance(error, loading.EntryError):
        return describe(error)
    if isinstance(error, SyntaxError):
        stem = function["handler"].rpartition(".")[0]
        return describe(error, f"Syntax error in module '{stem}': ")
    return describe(error, "function entry exception, error: ")


def _encode(message, kind, stack):
    if len(stack) > STACK_LINES:
        stack = stack[: STACK_LINES // 2] + ["  ..."] + stack[-STACK_LINES // 2 :]
    lines = [line[:LINE_CHARACTERS] for line in stack]
    return values.error(kind, message[:MESSAGE_CHARACTERS], lines)


def _message(error):
    if isinstance(error, SystemExit):
        return f"the function called sys.exit({'' if error.code is None else error.code})"
    if isinstance(error, Cancelled):
        return "function invocation canceled"
    return str(error)


def _kind(error):
    if isinstance(error, loading.EntryError):
        return error.kind
    names = {
        values.BadRequest: "BadRequest",
        values.InvalidResult: "FunctionResultInvalid",
        values.TooLarge: "FunctionResponseTooLarge",
    }
    return names.get(type(error), type(error).__name__)


def _ours(frame):
    return frame.filename.startswith((HERE, "<frozen importlib"))


def _stack(error):
    if type(error).__module__.startswith(__package__):
        return []
    whole = traceback.TracebackException.from_exception(error)
    seen, todo = set(), [whole]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.stack[:] = [frame for frame in one.stack if not _ours(frame)]
        todo += [one.__cause__, one.__context__]
    lines = "".join(whole.format()).splitlines()
    last = "".join(whole.format_exception_only()).splitlines()
    if not isinstance(error, SyntaxError):
        lines = lines[: -len(last)]
    if lines and lines[0].startswith("Traceback (") and not (whole.__cause__ or _context(whole)):
        lines = lines[1:]
    return [line for line in lines if line.strip()]


def _context(whole):
    return None if whole.__suppress_context__ else whole.__context__
