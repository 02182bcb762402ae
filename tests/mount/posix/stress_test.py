#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user would lose files when several programs work on one tree at once, as `make -j` and a language
server do: nothing may be torn, lost, counted wrongly or made twice.

    stress_test.py [--long] [SEED]      (else SEED of the environment, or of the time)
"""
import shutil
import subprocess
import sys

import ground


def main():
    seed = ground.seed()
    with ground.mount() as mount:
        code, _ = ground.tree(mount)
        ground.run("stress", "--seed", seed, "--processes", 4, "--seconds",
                  120 if ground.LONG else 10, code)
        subprocess.run(["rm", "-rf", mount.path("functions", "posix")], check=True)
        assert not shutil.os.path.exists(mount.path("functions", "posix"))


if __name__ == "__main__":
    main()
