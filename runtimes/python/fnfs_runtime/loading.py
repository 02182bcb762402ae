# SPDX-License-Identifier: Apache-2.0
"""From "src/index.handler" to something that can be called.

The module is imported by its name below the code directory, so that its relative imports and its
packages work. A name that a module of the standard library already holds (`types.handler`) is loaded
from its file, and the library keeps its own."""
import sys
from os import path

CO_VARARGS, CO_COROUTINE, CO_ASYNC_GENERATOR = 0x04, 0x80, 0x200


class EntryError(Exception):
    """What the settings name is not in the code; `kind` is the errorType."""

    def __init__(self, kind, message):
        super().__init__(f"function entry exception, error: {message}")
        self.kind = kind


def _module_file(code, stem):
    """The file of a module and whether it is a package, or None."""
    names = [stem, stem.replace(".", "/")]
    for name in names:
        for tail in (".py", "/__init__.py", ""):
            if (tail or name.endswith(".py")) and path.isfile(f"{code}/{name}{tail}"):
                return f"{code}/{name}{tail}"
    return None


def _import_file(name, file):
    from importlib._bootstrap import module_from_spec
    from importlib._bootstrap_external import spec_from_file_location

    spec = spec_from_file_location(name, file)
    module = module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


def load_module(code, stem):
    file = _module_file(code, stem)
    if not file:
        raise EntryError("FunctionLoadError", f"not found module './{stem}.py'")
    name = file[len(code) + 1 :].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    top = name.partition(".")[0]
    known = sys.modules.get(name)
    if known and getattr(known, "__file__", None) == file:
        return known
    if top in sys.modules or top in sys.builtin_module_names or not name.replace(".", ""):
        return _import_file(name, file)
    __import__(name)
    return sys.modules[name]


def load(code, entry, parameters):
    """The callable named by `entry`, which will be called with that many arguments."""
    stem, dot, name = entry.rpartition(".")
    if not dot or not stem or not name or ".." in stem.split("/"):
        raise EntryError("FunctionConfigError", f"'{entry}' is not of the form file.function")
    found = getattr(load_module(code, stem), name, None)
    if found is None:
        raise EntryError("FunctionConfigError", f"handler '{name}' not found in module './{stem}.py'")
    if not callable(found):
        raise EntryError("FunctionConfigError", f"'{entry}' is a {type(found).__name__}, not a function")
    _check_arity(entry, found, parameters)
    return found


def _code_of(function):
    """The code object behind a callable and how many of its parameters are bound, if it has one."""
    bound = 0
    if not hasattr(function, "__code__") and not hasattr(function, "__func__"):
        function = getattr(type(function), "__call__", None)
        bound = 1
    if hasattr(function, "__func__"):
        function, bound = function.__func__, 1
    return function, getattr(function, "__code__", None), bound


def _check_arity(entry, found, parameters):
    if isinstance(found, type):
        return
    function, code, bound = _code_of(found)
    if not code:
        return
    accepted = code.co_argcount - bound
    required = accepted - len(function.__defaults__ or ())
    missing_keywords = code.co_kwonlyargcount - len(function.__kwdefaults__ or ())
    most = parameters if code.co_flags & CO_VARARGS else accepted
    if required > parameters or most < parameters or missing_keywords > 0:
        raise EntryError(
            "FunctionConfigError",
            f"{entry} expect to have {parameters} parameters, but received {accepted}",
        )


def is_async(function):
    """Whether calling it gives a coroutine or an asynchronous generator, as far as can be seen."""
    for _ in range(16):
        inner = getattr(function, "__wrapped__", None) or getattr(function, "func", None)
        code = _code_of(function)[1]
        if code and code.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR):
            return True
        if not callable(inner):
            return False
        function = inner
    return False
