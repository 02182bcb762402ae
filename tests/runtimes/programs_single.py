# SPDX-License-Identifier: Apache-2.0
"""As programs.py, for the cases that only one runtime has."""

PROGRAMS = {
    "async": {
        "python": """
            import asyncio
            async def init(context):
                await asyncio.sleep(0)
            async def handler(event, context):
                await asyncio.sleep(0.001)
                if "fail" in event:
                    raise LookupError("none")
                return event
            """,
    },
    "async-meet": {
        "python": """
            import asyncio
            inside = 0
            async def handler(event, context):
                global inside
                inside += 1
                print("enters", event["me"])
                while inside < event["all"]:
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0.01)
                print("leaves", event["me"])
                return event["me"]
            """,
    },
    "async-stream": {
        "python": "async def handler(event, context):\n    yield 'a'\n    yield {'b': 1}\n",
    },
    "async-hidden": {
        "python": """
            async def work(event):
                return event
            class Handler:
                def __call__(self, event, context):
                    return work(event)
            handler = Handler()
            """,
    },
    "async-hang": {
        "python": """
            import asyncio
            async def handler(event, context):
                if "file" in event:
                    open(event["file"], "w").close()
                while not event.get("quick"):
                    await asyncio.sleep(1000)
                return "quick"
            """,
    },
    "processes": {
        "python": """
            import multiprocessing
            def work(n):
                print("working on", n)
                return n * n
            def handler(event, context):
                with multiprocessing.get_context(event["how"]).Pool(2) as pool:
                    return pool.map(work, [1, 2, 3])
            """,
    },
    "shadows": {
        "python": {"json.py": "def handler(event, context):\n    import types\n    return [types.__name__, __name__]\n",},
    },
    "callback": {
        "nodejs": """
            exports.handler = (event, context, callback) => {
                if (event.twice) { callback(null, 1); callback(null, 2); return; }
                if (event.silent) return;
                if (event.fail) { setTimeout(() => callback('bad luck'), 2); return; }
                context.callbackWaitsForEmptyEventLoop = Boolean(event.wait);
                setTimeout(() => console.log('later'), 20);
                callback(null, event);
            };
            """,
    },
    "old-style": {
        "nodejs": """
            exports.handler = function (event, context) {
                if (event.how === 'value') return 'value';
                if (event.how === 'nothing') return;
                setTimeout(() => context[event.how](event.how === 'done' ? null : 'said', 'data'), 2);
            };
            """,
    },
    "module-mjs": {"nodejs": {"index.mjs": "const here = await Promise.resolve('mjs');\nexport const handler = async () => here;\n"}},
    "module-type": {
        "nodejs": {
            "package.json": '{"type": "module"}',
            "index.js": "import path from 'node:path';\nexport const handler = async () => path.basename(import.meta.url);\n",
        },
    },
    "module-cjs": {"nodejs": {"index.cjs": "exports.handler = async () => 'cjs';\n"}},
    "module-default": {"nodejs": {"index.mjs": "export default { handler: async () => 'default' };\n"}},
    "nested": {"nodejs": "exports.api = { get: async () => 'nested' };\n"},
    "readable": {
        "nodejs": """
            const { Readable } = require('stream');
            exports.handler = async () => Readable.from(['a', Buffer.from('b'), 'c']);
            """,
    },
    "never": {"nodejs": "exports.handler = (event) => event.quick ? 'quick' : new Promise(() => {});\n"},
    "late-throw": {
        "nodejs": """
            exports.handler = async (event) => {
                if (event.how === 'reject') Promise.reject(new TypeError('late'));
                if (event.how === 'throw') setTimeout(() => { throw new TypeError('late'); }, 1);
                await new Promise((r) => setTimeout(r, 10000));
            };
            """,
    },
    "timers": {
        "nodejs": """
            const fs = require('fs');
            exports.handler = async (event) => {
                setTimeout(() => fs.writeFileSync(event.file, 'fired'), 10);
                return 'set';
            };
            """,
    },
}
