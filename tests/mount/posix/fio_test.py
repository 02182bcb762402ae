#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user would lose bytes under load: fio writes blocks that carry their checksums and reads them back,
by read and write, by mappings, by several jobs at once, and again after the daemon was restarted.

    fio_test.py [--long]
"""
import json
import os
import shutil
import subprocess

import ground

JOBS = ground.HERE / "fio"


def fio(directory, job, **settings):
    """Runs a job file; every byte that was written must have been verified without an error."""
    settings = {"directory": directory, "size": "256m" if ground.LONG else "12m",
                **settings}
    command = ["fio", "--output-format=json", "--group_reporting", str(JOBS / job)]
    environment = {**os.environ, **{name.upper(): str(value) for name, value in settings.items()}}
    done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, cwd=directory)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    report = json.loads(done.stdout[done.stdout.index("{"):])
    for result in report["jobs"]:
        assert result["error"] == 0, (job, result["jobname"], result["error"])
        read, written = result["read"]["io_bytes"], result["write"]["io_bytes"]
        assert read > 0, f"{job}: nothing was verified"
        print(f"fio {job} {result['jobname']}: {written >> 10} KiB written, {read >> 10} KiB read",
              flush=True)


def main():
    if not shutil.which("fio"):
        ground.mounted.skip("fio is not installed")
    with ground.mount() as mount:
        code, _ = ground.tree(mount)
        for job in "random.fio", "mapped.fio", "together.fio":
            mount.step()
            fio(code, job)
        fio(code, "write.fio")
        mount.stop()
        mount.start()
        fio(code, "verify.fio")


if __name__ == "__main__":
    main()
