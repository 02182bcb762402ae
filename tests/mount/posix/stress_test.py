#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user would lose files when several programs work on one tree at once, as `make -j` and a language
server do: nothing may be torn, lost, counted wrongly or made twice.

    stress_test.py [--long] [SEED]
"""
import shutil
import subprocess
import sys
import time

import ground


def main():
    seeds = [word for word in sys.argv[1:] if word.isdigit()]
    seed = int(seeds[0]) if seeds else int(time.time())
    with ground.mount() as mount:
        code, _ = ground.tree(mount)
        ground.run("stress", "--seed", seed, "--processes", 4, "--seconds",
                  120 if ground.LONG else 10, code)
        subprocess.run(["rm", "-rf", mount.path("functions", "posix")], check=True)
        assert not shutil.os.path.exists(mount.path("functions", "posix"))


if __name__ == "__main__":
    main()
