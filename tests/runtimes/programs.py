# SPDX-License-Identifier: Apache-2.0
"""The code of the conformance cases, once for each runtime that can express it: program name ->
runtime name -> {file: text}. A text alone is the runtime's usual file."""

import programs_single

FILES = {"python": "index.py", "nodejs": "index.js", "exec": "main"}

PROGRAMS = {
    "echo": {
        "python": "def handler(event, context):\n    return event\n",
        "nodejs": "exports.handler = async (event) => event;\n",
        "exec": "#!/bin/sh\nexec cat\n",
    },
    "count": {  # how often code ran in this instance, and what it was given
        "python": """
            calls = 0
            def handler(event, context):
                global calls
                calls += 1
                return {"calls": calls, "event": event}
            """,
        "nodejs": """
            let calls = 0;
            exports.handler = async (event) => ({ calls: ++calls, event });
            """,
    },
    "size": {  # answers with as many bytes as the event says
        "python": "def handler(event, context):\n    return 'x' * event['size']\n",
        "nodejs": "exports.handler = async (event) => 'x'.repeat(event.size);\n",
        "exec": """
            #!/bin/sh
            size=$(tr -cd 0-9)
            exec head -c "$size" /dev/zero
            """,
    },
    "gate": {  # a piece, then, once the file `go` is there, another
        "python": """
            import os, time
            def handler(event, context):
                yield "one "
                while not os.path.exists(event["go"]):
                    time.sleep(0.005)
                yield b"two"
            """,
        "nodejs": """
            const fs = require('fs');
            exports.handler = async function* (event) {
                yield 'one ';
                while (!fs.existsSync(event.go)) await new Promise((r) => setTimeout(r, 5));
                yield Buffer.from('two');
            };
            """,
        "exec": """
            #!/bin/sh
            go=$(sed 's/.*: *"\\([^"]*\\)".*/\\1/')
            printf 'one '
            while [ ! -e "$go" ]; do sleep 0.01; done
            printf two
            """,
    },
    "endless": {
        "python": "def handler(event, context):\n    while True:\n        yield 'x' * 100000\n",
        "nodejs": "exports.handler = function* () { for (;;) yield 'x'.repeat(100000); };\n",
        "exec": "#!/bin/sh\nexec yes\n",
    },
    "stream-fails": {
        "python": "def handler(event, context):\n    yield 'begun'\n    raise ValueError('half-way')\n",
        "nodejs": """
            exports.handler = async function* () { yield 'begun'; throw new TypeError('half-way'); };
            """,
        "exec": "#!/bin/sh\nprintf begun\necho half-way >&2\nexit 3\n",
    },
    "raise": {
        "python": """
            def deeper(event):
                raise KeyError(event["what"]) if "what" in event else ValueError("no value")
            def handler(event, context):
                if event.get("fine"):
                    return "fine"
                deeper(event)
            """,
        "nodejs": """
            function deeper() { throw new RangeError('no value'); }
            exports.handler = async (event) => event.fine ? 'fine' : deeper();
            """,
        "exec": """
            #!/bin/sh
            grep -q fine && { printf fine; exit; }
            echo no value >&2
            exit 3
            """,
    },
    "syntax-error": {
        "python": "\n\ndef handler(event context):\n    pass\n",
        "nodejs": "\n\nexports.handler = async (event context) => {};\n",
    },
    "import-fails": {
        "python": "import this_is_not_there\ndef handler(event, context):\n    pass\n",
        "nodejs": "require('this-is-not-there');\nexports.handler = async () => {};\n",
        "exec": "#!/this/is/not/there\n",
    },
    "own-modules": {
        "python": {
            "index.py": "import datetime, json, random, urllib.parse\n"
            "def handler(event, context):\n"
            "    return [random.MINE, urllib.parse.MINE, json.dumps(2)]\n",
            "random.py": "MINE = 'mine'\n",
            "urllib/__init__.py": "",
            "urllib/parse.py": "MINE = 'mine too'\n",
        },
    },
    "load-raises": {
        "python": "def start():\n    raise RuntimeError('at the start')\nstart()\n",
        "nodejs": "function start() { throw new RangeError('at the start'); }\nstart();\n",
    },
    "load-exits": {
        "python": "import sys\nsys.exit(7)\n",
        "nodejs": "process.exit(7);\n",
    },
    "no-handler": {
        "python": "def other(event, context):\n    pass\nhandler = None\n",
        "nodejs": "exports.other = async () => {};\n",
    },
    "arity": {
        "python": "def handler(event):\n    pass\n",
        "nodejs": "exports.handler = (a, b, c, d) => {};\n",
    },
    "initializer": {
        "python": """
            import os
            log = []
            def init(context):
                log.append(["init", context.getUserData("COLOUR"), os.environ["COLOUR"],
                            context.getRemainingTimeInMilliSeconds() > 0])
            def handler(event, context):
                return log
            """,
        "nodejs": """
            const log = [];
            exports.init = (context, callback) => {
                log.push(['init', context.getUserData('COLOUR'), process.env.COLOUR,
                    context.getRemainingTimeInMilliSeconds() > 0]);
                setTimeout(callback, 5);
            };
            exports.handler = async () => log;
            """,
        "exec": {
            "main": "#!/bin/sh\nread -r log < ../log\nprintf %s \"$log\"\n",
            "index.init": '#!/bin/sh\nprintf \'[["init", "%s", "%s", true]]\\n\' "$COLOUR" "$COLOUR" >> ../log\n',
        },
    },
    "initializer-fails": {
        "python": "def init(context):\n    raise OSError('no database')\ndef handler(event, context):\n    pass\n",
        "nodejs": "exports.init = (context, callback) => callback(new Error('no database'));\nexports.handler = async () => {};\n",
        "exec": {"main": "#!/bin/sh\n", "index.init": "#!/bin/sh\necho no database >&2\nexit 4\n"},
    },
    "context": {
        "python": """
            def handler(event, c):
                return {
                    "request": c.getRequestID(), "left": c.getRemainingTimeInMilliSeconds(),
                    "user": c.getUserData("COLOUR"), "missing": c.getUserData("NONE"),
                    "name": c.getFunctionName(), "seconds": c.getRunningTimeInSeconds(),
                    "version": c.getVersion(), "memory": c.getMemorySize(), "cpu": c.getCPUNumber(),
                    "package": c.getPackage(), "project": c.getProjectID(), "alias": c.getAlias(),
                    "entry": c.getIdempotencyKey(),
                    "token": c.getToken(), "key": c.getSecurityAccessKey(),
                    "secret": c.getSecuritySecretKey(), "security": c.getSecurityToken(),
                    "aws": [c.aws_request_id, c.function_name, c.function_version,
                            c.memory_limit_in_mb, c.invoked_function_arn, c.log_group_name],
                    "aws_left": c.get_remaining_time_in_millis(), "streams": bool(c.log_stream_name),
                }
            """,
        "nodejs": """
            exports.handler = async (event, c) => ({
                request: c.getRequestID(), left: c.getRemainingTimeInMilliSeconds(),
                user: c.getUserData('COLOUR'), missing: c.getUserData('NONE') ?? null,
                name: c.getFunctionName(), seconds: c.getRunningTimeInSeconds(),
                version: c.getVersion(), memory: c.getMemorySize(), cpu: c.getCPUNumber(),
                package: c.getPackage(), project: c.getProjectID(), alias: c.getAlias(),
                entry: c.getIdempotencyKey(),
                token: c.getToken(), key: c.getSecurityAccessKey(),
                secret: c.getSecuritySecretKey(), security: c.getSecurityToken(),
                aws: [c.awsRequestId, c.functionName, c.functionVersion,
                    c.memoryLimitInMB, c.invokedFunctionArn, c.logGroupName],
                aws_left: c.getRemainingTimeInMillis(), streams: Boolean(c.logStreamName),
            });
            """,
    },
    "exec-context": {
        "exec": """
            #!/bin/sh
            printf '%s|%s|%s|%s|%s|%s' "$RUNTIME_REQUEST_ID" "$RUNTIME_SOURCE" "$RUNTIME_ALIAS" "$RUNTIME_IDEMPOTENCY_KEY" \\
                "$RUNTIME_FUNC_NAME" "$COLOUR"
            """,
    },
    "prints": {
        "python": """
            import os, sys
            def handler(event, context):
                print("to", "out", event["n"])
                print("to err", event["n"], file=sys.stderr)
                sys.stdout.write("half a line")
                return "done"
            """,
        "nodejs": """
            exports.handler = async (event) => {
                process.stdout.write(`to out ${event.n}\\n`);
                process.stderr.write(`to err ${event.n}\\n`);
                process.stdout.write('half a line');
                return 'done';
            };
            """,
        "exec": """
            #!/bin/sh
            n=$(tr -cd 0-9)
            printf 'to out %s\\nto err %s\\nhalf a line' "$n" "$n" >&2
            printf done
            """,
    },
    "levels": {
        "python": """
            import logging
            def handler(event, context):
                logger = context.getLogger()
                logger.debug("unseen")
                logger.info("informed %d", 1)
                logger.warn("warned")
                logger.error("failed")
                logging.getLogger("mine").warning("from logging")
                logger.setLevel("DEBUG")
                logger.debug("seen")
            """,
        "nodejs": """
            exports.handler = async (event, context) => {
                const logger = context.getLogger();
                logger.debug('unseen');
                logger.info('informed %d', 1);
                logger.warn('warned');
                console.error('failed');
                console.warn('from logging');
                logger.setLevel('DEBUG');
                console.debug('seen');
            };
            """,
    },
    "meet": {  # prints, waits until as many calls as the event says are inside, prints again
        "python": """
            import os, time
            def handler(event, context):
                print("enters", event["me"])
                open(event["room"] + "/" + event["me"], "w").close()
                while len(os.listdir(event["room"])) < event["all"]:
                    time.sleep(0.002)
                print("leaves", event["me"])
                return event["me"]
            """,
        "nodejs": """
            const fs = require('fs');
            exports.handler = async (event) => {
                console.log('enters', event.me);
                fs.writeFileSync(`${event.room}/${event.me}`, '');
                while (fs.readdirSync(event.room).length < event.all)
                    await new Promise((r) => setTimeout(r, 2));
                process.stdout.write(`leaves ${event.me}\\n`);
                return event.me;
            };
            """,
        "exec": """
            #!/bin/sh
            event=$(cat)
            me=$(echo "$event" | sed 's/.*"me": "\\([^"]*\\)".*/\\1/')
            room=$(echo "$event" | sed 's/.*"room": "\\([^"]*\\)".*/\\1/')
            all=$(echo "$event" | sed 's/.*"all": \\([0-9]*\\).*/\\1/')
            echo "enters $me" >&2
            : > "$room/$me"
            while [ "$(ls "$room" | wc -l)" -lt "$all" ]; do sleep 0.01; done
            echo "leaves $me" >&2
            printf %s "$me"
            """,
    },
    "hang": {  # for ever, unless the event says quick; `file` appears when it is inside
        "python": """
            import time
            def handler(event, context):
                if "file" in event:
                    open(event["file"], "w").close()
                while not event.get("quick"):
                    time.sleep(0.005)
                return "quick"
            """,
        "nodejs": """
            exports.handler = async (event) => {
                if (event.file) require('fs').writeFileSync(event.file, '');
                while (!event.quick) await new Promise((r) => setTimeout(r, 5));
                return 'quick';
            };
            """,
        "exec": """
            #!/bin/sh
            event=$(cat)
            case $event in *quick*) printf quick; exit ;; esac
            : > "$(echo "$event" | sed 's/.*"file": "\\([^"]*\\)".*/\\1/')"
            while :; do sleep 1; done
            """,
    },
    "invalid": {
        "python": """
            def handler(event, context):
                cycle = []
                cycle.append(cycle)
                deep = []
                for _ in range(100000):
                    deep = [deep]
                return {"cycle": cycle, "nan": float("nan"), "set": {1}, "deep": deep,
                        "inner": {"a": [float("inf")]}, "surrogate": "\\udc00"}.get(event["what"], "fine")
            """,
        "nodejs": """
            exports.handler = async (event) => {
                const cycle = [];
                cycle.push(cycle);
                return { cycle, nan: NaN, big: 1n, function: () => 1 }[event.what] ?? 'fine';
            };
            """,
    },
    "bytes": {
        "python": "def handler(event, context):\n    return bytes(range(256))\n",
        "nodejs": "exports.handler = async () => Buffer.from([...Array(256).keys()]);\n",
        "exec": "#!/bin/sh\ncat >/dev/null\nprintf '\\000\\001\\377'\n",
    },
    "nothing": {
        "python": "def handler(event, context):\n    pass\n",
        "nodejs": "exports.handler = async () => null;\n",
        "exec": "#!/bin/sh\n",
    },
    "closes": {  # descriptors it should not
        "python": """
            import os, sys
            def handler(event, context):
                print("before")
                if event["what"] == "stdout":
                    sys.stdout.close()
                elif event["what"] == "fds":
                    for fd in range(8):
                        try:
                            os.close(fd)
                        except OSError:
                            pass
                elif event["what"] == "all":
                    os.closerange(0, 65536)
                return "closed"
            """,
        "nodejs": """
            const fs = require('fs');
            exports.handler = async (event) => {
                console.log('before');
                const close = (fd) => { try { fs.closeSync(fd); } catch {} };
                if (event.what === 'stdout') close(1);
                if (event.what === 'fds') for (let fd = 0; fd < 5; fd++) close(fd);
                return 'closed';
            };
            """,
    },
    "children": {  # leaves one behind, which writes its pid
        "python": """
            import os, time
            def handler(event, context):
                if os.fork() == 0:
                    if event["returns"]:
                        return "the child must not answer"
                    with open(event["file"], "w") as file:
                        file.write(f"{os.getpid()}\\n")
                    time.sleep(1000)
                return "parent"
            """,
        "nodejs": """
            const { spawn } = require('child_process');
            exports.handler = async (event) => {
                spawn('/bin/sh', ['-c', `echo $$ > ${event.file}; exec sleep 1000`], { stdio: 'ignore' });
                return 'parent';
            };
            """,
        "exec": """
            #!/bin/sh
            file=$(sed 's/.*"file": "\\([^"]*\\)".*/\\1/')
            sh -c 'echo $$ > "$0"; exec sleep 1000' "$file" &
            while [ ! -s "$file" ]; do sleep 0.01; done
            printf parent
            """,
    },
    "exits": {
        "python": "import sys\ndef handler(event, context):\n    sys.exit(event.get('status', 'why not'))\n",
        "nodejs": "exports.handler = async (event) => process.exit(event.status);\n",
        "exec": "#!/bin/sh\nexit 5\n",
    },
    "dies": {
        "python": "import os\ndef handler(event, context):\n    os._exit(9)\n",
        "nodejs": "exports.handler = async () => process.abort();\n",
    },
    "flood": {
        "python": """
            def handler(event, context):
                for _ in range(20000):
                    print("x" * 999)
                return "flooded"
            """,
        "nodejs": """
            exports.handler = async () => {
                for (let i = 0; i < 20000; i++) console.log('x'.repeat(999));
                return 'flooded';
            };
            """,
        "exec": "#!/bin/sh\nhead -c 20000000 /dev/zero | tr '\\0' x >&2\nprintf flooded\n",
    },
    "binary": {
        "python": """
            import sys
            def handler(event, context):
                sys.stdout.buffer.write(b"\\xff\\x00\\xfe\\n")
                print("\\udcff odd")
                return "printed"
            """,
        "nodejs": """
            exports.handler = async () => {
                process.stdout.write(Buffer.from([255, 0, 254, 10]));
                console.log('\\udcff odd');
                return 'printed';
            };
            """,
        "exec": "#!/bin/sh\nprintf '\\377\\000\\376\\n odd' >&2\nprintf printed\n",
    },
    "folder": {
        "python": {
            "src/app.py": "from . import part\nfrom lib import other\ndef main(event, context):\n    return [part.X, other.Y]\n",
            "src/part.py": "X = 1\n",
            "lib/other.py": "Y = 2\n",
        },
        "nodejs": {
            "src/app.js": "const part = require('./part');\nconst other = require('../lib/other');\nexports.main = async () => [part.X, other.Y];\n",
            "src/part.js": "exports.X = 1;\n",
            "lib/other.js": "exports.Y = 2;\n",
        },
        "exec": {"src/app.main": "#!/bin/sh\nprintf '[1, 2]'\n"},
    },
} | programs_single.PROGRAMS
