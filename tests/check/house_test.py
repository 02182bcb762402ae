#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that a program can check. What would be lost is the trust that they hold."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
LAYERS = ["base", "wire", "store", "model", "run", "events", "engine", "fs"]
LONGEST = 500


def sources(*suffixes, below=""):
    for directory, names, files in os.walk(SOURCE / below):
        names[:] = [name for name in names if not name.startswith((".", "build", "__pycache__"))]
        yield from (pathlib.Path(directory) / file for file in files
                    if not suffixes or file.endswith(suffixes))


def layer_of(path):
    first, second = (*path.relative_to(SOURCE).parts, "")[:2]
    return second if first == "engine" and second in LAYERS else first


def includes_go_down():
    "A layer includes itself and what is below it; the engine does not know FUSE."
    for path in sources(".c", ".h"):
        layer = layer_of(path)
        for name in re.findall(r'^#\s*include\s+[<"]([^>"]+)[>"]', path.read_text(), re.M):
            first = name.split("/")[0]
            if layer in LAYERS and first in LAYERS:
                yield LAYERS.index(first) <= LAYERS.index(layer), path, name
            if layer != "fs" and layer in LAYERS:
                yield "fuse" not in first, path, name
            if layer == "engine" and path.parent.name == "gateway":
                yield first not in LAYERS[2:], path, name
            if layer == "tools":
                yield first not in LAYERS[1:], path, name


def replies_stand_in_one_file():
    "Every answer to the kernel leaves through fs/request.c."
    for path in sources(".c", below="fs"):
        if path.name != "request.c":
            yield "fuse_reply_" not in path.read_text(), path, "fuse_reply_"


def libraries_have_one_door():
    "zstd, libcrypto, zones of GLib: each is called in one file; libmicrohttpd in one of each program."
    doors = {"ZSTD_": ["compression.c"], "EVP_": ["sha256.c"],
             "MHD_": ["http_server.c", "server.c"], "g_time_zone_": ["time_zone.c"]}
    for path in sources(".c", ".h", below="engine"):
        text = path.read_text()
        for name, door in doors.items():
            yield path.name in door or name not in text, path, name


def files_are_short():
    "A file of code has at most 500 lines; tests may be longer."
    for path in sources(".c", ".h", ".py", ".js", ".mjs", ".bash", ".sh"):
        lines = path.read_text().count("\n")
        if "tests" not in path.relative_to(SOURCE).parts:
            yield lines <= LONGEST, path, f"{lines} lines"


def files_name_their_licence():
    "Every source begins with its SPDX line."
    for path in sources(".c", ".h", ".py", ".js", ".mjs", ".cjs", ".bash", ".sh", ".1", ".7"):
        if not {"template", "samples"} & set(path.parts):
            head = path.read_text().split("\n")[:2]
            yield any("SPDX-License-Identifier: Apache-2.0" in line for line in head), path, "SPDX"


def nothing_is_written_in_vain():
    "No line ends in blanks."
    for path in sources(".c", ".h", ".py", ".md", ".build", ".bash", ".1", ".7"):
        yield not re.search(r"[ \t]$", path.read_text(), re.M), path, "blanks at the end of a line"


def scripts_parse():
    "Shell scripts are understood by their shell."
    for name in "tools/check", "tools/quickstart", "tools/setup.bash", "tools/completion/fnfs":
        done = subprocess.run(["bash", "-n", SOURCE / name], stderr=subprocess.PIPE, text=True)
        yield done.returncode == 0, name, done.stderr
    yield subprocess.run(["sh", "-n", SOURCE / ".ci/run"]).returncode == 0, ".ci/run", ""


def manuals_are_clean():
    "mandoc finds nothing to say of the manual pages."
    if not shutil.which("mandoc"):
        return
    for page in "fnfs.1", "fnfs.7":
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", SOURCE / "docs" / page],
                              stdout=subprocess.PIPE, text=True)
        yield done.returncode == 0, page, done.stdout


def commands_are_documented():
    "Every subcommand and every one of its options is in fnfs(1)."
    fnfs = os.environ["FNFS_COMMAND"]
    manual = (SOURCE / "docs/fnfs.1").read_text()
    overview = subprocess.check_output([fnfs, "help"], text=True)
    for name in re.findall(r"^  fnfs (\w+)", overview, re.M):
        yield f".Cm {name}\n" in manual or f".Cm {name} " in manual, "fnfs.1", name
        text = subprocess.check_output([fnfs, "help", name], text=True)
        for option in re.findall(r"--(\w+)", text):
            yield re.search(rf"(Fl|\|) -{option}\b", manual), "fnfs.1", f"{name} --{option}"


def settings_are_documented():
    "Every setting is in fnfs(7)."
    manual = (SOURCE / "docs/fnfs.7").read_text()
    table = (SOURCE / "engine/model/config.c").read_text()
    for name in re.findall(r'^\s*\[CONFIG_\w+\] = \{\s*(?:\.name = )?"(\w+)"', table, re.M):
        yield f"Pa {name}" in manual, "fnfs.7", name


def main():
    failed = 0
    for rule in (includes_go_down, replies_stand_in_one_file, libraries_have_one_door,
                 files_are_short,
                 files_name_their_licence, nothing_is_written_in_vain, scripts_parse,
                 manuals_are_clean, commands_are_documented, settings_are_documented):
        cases = list(rule())
        broken = [(place, what) for held, place, what in cases if not held]
        for place, what in broken:
            print(f"{place}: {what}")
        print(f"{'FAIL' if broken else 'ok  '} {rule.__name__} ({len(cases)}): {rule.__doc__}")
        failed += bool(broken)
    sys.exit(1 if failed else 0)


main()
