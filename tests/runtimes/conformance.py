#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""conformance.py DIRECTORY [CASE...]: whether the runtime in that directory keeps the contract.

Each case runs one or more instances of the shim over pipes. A case whose program cannot be written
for the runtime (programs.py) is left out; the last line counts. INTERPRETER=PATH in the environment
tries another version of the runtime's interpreter; PARKED=1 starts it before it has a function."""
import sys
import traceback

import cases_calls
import cases_life
import cases_single
from bench import CASES, Bench
from shim import Ended


def run(bench, function):
    try:
        function(bench)
        print(f"ok      {bench.name}: {function.__name__}")
        return True
    except (AssertionError, Ended, OSError, ValueError, KeyError):
        print(f"FAILED  {bench.name}: {function.__name__}")
        traceback.print_exc(limit=-3, file=sys.stdout)
        return False
    finally:
        bench.tidy()


def main(directory, wanted):
    sys.stdout.reconfigure(line_buffering=True)
    bench = Bench(directory)
    if not bench.argv:
        print(f"{bench.name}: what it needs is not on this machine: {bench.runtime.get('interpreters')}")
        return 77
    passed = failed = skipped = 0
    for function, needs, only in CASES:
        if wanted and function.__name__ not in wanted:
            continue
        if only not in (None, bench.name) or not all(map(bench.can, needs)):
            skipped += 1
        elif run(bench, function):
            passed += 1
        else:
            failed += 1
    print(f"{bench.name}: {passed} cases held, {failed} failed, {skipped} not for this runtime")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
