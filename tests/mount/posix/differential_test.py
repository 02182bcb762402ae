#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user would lose the work of a tool that relies on what every file system does: the same system
calls in code/ and on the disk below must answer, and leave, the same.

    differential_test.py [--long] [SEED]      (else SEED of the environment, or of the time)
"""
import sys

import ground


def main():
    seed = ground.seed()
    cases = sorted((ground.HERE / "cases").glob("*.cases"))
    with ground.mount() as mount:
        code, disk = ground.tree(mount)
        ground.run("differential", "--licence", ground.licence(code), "--told", 100, "--seed", seed,
                  "--sequences", 4000 if ground.LONG else 405, "--steps", 60 if ground.LONG else 35,
                  code, disk, *cases)


if __name__ == "__main__":
    main()
