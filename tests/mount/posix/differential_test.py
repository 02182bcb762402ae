#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user would lose the work of a tool that relies on what every file system does: the same system
calls in code/ and on the disk below must answer, and leave, the same.

    differential_test.py [--long] [SEED]
"""
import sys
import time

import ground


def main():
    seeds = [word for word in sys.argv[1:] if word.isdigit()]
    seed = int(seeds[0]) if seeds else int(time.time())
    cases = sorted((ground.HERE / "cases").glob("*.cases"))
    with ground.mount() as mount:
        code, disk = ground.tree(mount)
        ground.run("differential", "--licence", ground.LICENCE, "--told", 100, "--seed", seed,
                  "--sequences", 4000 if ground.LONG else 405, "--steps", 60 if ground.LONG else 35,
                  code, disk, *cases)


if __name__ == "__main__":
    main()
