# SPDX-License-Identifier: Apache-2.0
"""Starts the Python runtime. What it does is in fnfs_runtime/; this file stays small because a
program's own file is compiled anew at each start and modules are not."""
import sys

if __name__ == "__main__":  # and not again in processes that multiprocessing starts
    sys.path[0] = __file__.rpartition("/")[0] or "."
    from fnfs_runtime.main import main

    main()
