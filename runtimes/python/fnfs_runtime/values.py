# SPDX-License-Identifier: Apache-2.0
"""JSON in, responses out.

The C half of the standard json module is used directly: its Python half imports re, which would
double the time an instance takes to start. Where that half is not there, json itself serves. What the
C half refuses is given to json as a whole: without it, 3.11's cannot even raise its own error."""
from .channel import RESPONSE_MAX

WHITE = " \t\n\r"


class BadRequest(Exception):
    """The event is not JSON."""


class InvalidResult(Exception):
    """What the handler returned has no form as a response."""


class TooLarge(Exception):
    def __init__(self, size):
        super().__init__(
            f"Response body size '{size}' larger than max value '{RESPONSE_MAX}'."
        )


def _refuse(value):
    if isinstance(value, str):
        raise ValueError(f"{value} is not JSON")
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


try:
    from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner

    class _Options:
        strict = True
        object_hook = object_pairs_hook = None
        parse_float = float
        parse_int = int
        parse_constant = staticmethod(_refuse)

    _scan = make_scanner(_Options)

    def _parse(text):
        value, end = _scan(text, 0)
        if end != len(text):
            raise ValueError(f"something follows the value at character {end}")
        return value

    def _format(value, quote):
        encode = make_encoder({}, _refuse, quote, None, ":", ",", False, False, False)
        return "".join(encode(value, 0))

except ImportError:
    import json

    encode_basestring, encode_basestring_ascii = False, True

    def _parse(text):
        return json.loads(text, parse_constant=_refuse)

    def _format(value, ascii):
        return json.dumps(
            value, ensure_ascii=ascii, allow_nan=False, separators=(",", ":")
        )


def parse(data):
    """The event from its bytes; white space only is {}."""
    try:
        text = str(data, "utf-8").strip(WHITE)
    except UnicodeDecodeError as error:
        raise BadRequest(str(error)) from None
    try:
        return _parse(text) if text else {}
    except (StopIteration, ValueError, RecursionError, SystemError):
        pass
    try:  # once more in full, for its words
        import json

        return json.loads(text, parse_constant=_refuse)
    except Exception as error:
        raise BadRequest(str(error)) from None


def format(value):
    """Compact JSON, in bytes."""
    try:
        return _format(value, encode_basestring).encode()
    except UnicodeEncodeError:  # half a surrogate pair: escaped, it is still JSON
        return _format(value, encode_basestring_ascii).encode()


def error(kind, message="", stack=()):
    """The error JSON."""
    return format({"errorMessage": message, "errorType": kind, "stackTrace": list(stack)})


def response(value):
    """The bytes of a result: text and bytes as they are, nothing for None, else JSON."""
    kind = type(value)
    if kind is not str and kind is not bytes:
        if value is None:
            return b""
        if isinstance(value, (bytes, bytearray, memoryview)):
            value = bytes(value)
        elif not isinstance(value, str):
            value = _json_or_invalid(value)
    if type(value) is not bytes:
        try:
            value = value.encode()
        except UnicodeEncodeError as error:
            raise InvalidResult(f"function result is invalid: {error}") from None
    if len(value) > RESPONSE_MAX:
        raise TooLarge(len(value))
    return value


def piece(value):
    """The bytes of what a generator yields: JSON values become lines."""
    if isinstance(value, (str, bytes, bytearray, memoryview)) or value is None:
        return response(value)
    return _json_or_invalid(value) + b"\n"


def _json_or_invalid(value):
    try:
        return format(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidResult(f"function result is invalid: {error}") from None
