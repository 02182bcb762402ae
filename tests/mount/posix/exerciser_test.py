#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user would lose bytes: what is written, mapped, truncated and punched at random must be what is
read, step after step, whatever the kernel and the daemon keep of a file.

    exerciser_test.py [--long] [SEED]        (--long: a million steps)
"""
import sys

import ground


def main():
    seed = ground.seed()
    with ground.mount() as mount:
        code, _ = ground.tree(mount)
        ground.run("exerciser", "--seed", seed, "--steps", 1000000 if ground.LONG else 60000, code)
        ground.run("exerciser", "--seed", seed, "--steps", 100000 if ground.LONG else 5000,
                  "--size", 8 << 20, "--files", 3, code)


if __name__ == "__main__":
    main()
