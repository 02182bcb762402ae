# SPDX-License-Identifier: Apache-2.0
"""What a handler gets beside its event: FunctionGraph's methods, and the names Lambda handlers use.

What is the same for all calls of an instance is put into a class made for the function, so that a
call costs one small object."""
import os
import time

from .channel import DEBUG, ERROR_LEVEL, INFO, WARNING

LEVELS = {"DEBUG": DEBUG, "INFO": INFO, "WARN": WARNING, "WARNING": WARNING, "ERROR": ERROR_LEVEL}


class Logger:
    level = INFO  # of the instance

    def __init__(self, write):
        self._write = write

    def _log(self, level, message, arguments):
        if level < Logger.level:
            return
        text = str(message)
        self._write(level, text % arguments if arguments else text)

    def debug(self, message, *arguments):
        self._log(DEBUG, message, arguments)

    def info(self, message, *arguments):
        self._log(INFO, message, arguments)

    def warn(self, message, *arguments):
        self._log(WARNING, message, arguments)

    warning = warn

    def error(self, message, *arguments):
        self._log(ERROR_LEVEL, message, arguments)

    def exception(self, message, *arguments):
        import traceback

        text = str(message) % arguments if arguments else str(message)
        self._log(ERROR_LEVEL, f"{text}\n{traceback.format_exc().rstrip()}", ())

    def setLevel(self, level):
        if isinstance(level, int):  # of the standard logging module: 10, 20, 30, 40
            Logger.level = min(max(level // 10 - 1, DEBUG), ERROR_LEVEL)
        else:
            Logger.level = LEVELS[level.upper()]


class Context:
    identity = None
    client_context = None
    tenant_id = None

    def __init__(self, request_id, deadline_ms, alias, key, write):
        self.aws_request_id = request_id
        self.idempotency_key = key
        self._deadline_ms = deadline_ms
        self._alias = alias
        self._write = write

    def getRequestID(self):
        return self.aws_request_id

    def getIdempotencyKey(self):
        return self.idempotency_key

    def getRemainingTimeInMilliSeconds(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    get_remaining_time_in_millis = getRemainingTimeInMilliSeconds

    def getAlias(self):
        return self._alias

    def getLogger(self):
        return Logger(self._write)

    def log(self, message):
        self._write(INFO, str(message))

    def getUserData(self, key, default=None):
        return self._function["environment"].get(key, default)

    def getFunctionName(self):
        return self.function_name

    def getVersion(self):
        return self._function["version"]

    def getRunningTimeInSeconds(self):
        seconds, rest = divmod(self._function["timeout_ms"], 1000)
        return seconds + rest / 1000 if rest else seconds

    def getMemorySize(self):
        return self._function["memory_mb"]

    def getCPUNumber(self):
        return self._function["cpu_millicores"] or (os.cpu_count() or 1) * 1000

    def getPackage(self):
        return self._function["package"]

    def getProjectID(self):
        return self._function["project"]

    def getToken(self):
        return os.environ.get("RUNTIME_TOKEN", "")

    def getSecurityToken(self):
        return os.environ.get("RUNTIME_SECURITY_TOKEN", "")

    def getSecurityAccessKey(self):
        return os.environ.get("RUNTIME_SECURITY_ACCESS_KEY", "")

    def getSecuritySecretKey(self):
        return os.environ.get("RUNTIME_SECURITY_SECRET_KEY", "")

    getAccessKey = getSecurityAccessKey
    getSecretKey = getSecuritySecretKey

    @property
    def invoked_function_arn(self):
        qualifier = self._alias or self._function["version"]
        return self._arn if qualifier == "latest" else f"{self._arn}:{qualifier}"


def context_class(function):
    """The class of the contexts of one function; `function` is what FRAME_INIT said."""
    name, version = function["function"], function["version"]
    return type(
        "Context",
        (Context,),
        {
            "_function": function,
            "_arn": f"arn:aws:lambda:{function['region']}:{function['project']}:function:{name}",
            "function_name": name,
            "function_version": "$LATEST" if version == "latest" else version,
            "memory_limit_in_mb": str(function["memory_mb"]),
            "log_group_name": os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", f"/aws/lambda/{name}"),
            "log_stream_name": os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", version),
        },
    )
