#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The round of README.md, typed at a terminal as it stands there, with the real vim.

Lines that begin with `$ ` are typed; indented lines below a `vim` are typed into it; the others are
the output, in which `...` stands for anything.
"""
import re

import by_command
import terminal


def steps():
    """(command, lines below it) of every console block of the README."""
    text = (by_command.SOURCE / "README.md").read_text()
    for block in re.findall(r"^```console\n(.*?)^```", text, re.M | re.S):
        for step in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, *below = step.splitlines()
            yield command, below


def pattern(lines):
    """A regular expression for lines of output."""
    return "".join(re.sub(r"(\\\.){3}( )?", ".*", re.escape(line)) + "\n" for line in lines)


def expected(lines):
    """The same where a line of `...` alone stands for any number of lines."""
    parts = [[]]
    for line in lines:
        if line == "...":
            parts.append([])
        else:
            parts[-1].append(line)
    return "(.*\n)*?".join(pattern(part) for part in parts)


def runs_as_the_readme_shows(mount):
    "A newcomer types what the README shows and sees what it shows."
    environment = {key: value for key, value in mount.environment.items()
                   if key not in ("FNFS", "TMPDIR")}  # vim keeps no backups below $TMPDIR
    environment.update(HOME=str(mount.root.parent), FNFS_STATE=str(mount.state))
    mount.stop()
    typed = 0
    with terminal.Terminal(environment, mount.root.parent) as shell:
        for command, below in steps():
            print("$", command, flush=True)
            if command.startswith("vim "):
                shell.edit(command, [re.sub("^    ", "", line) for line in below])
                continue
            output = shell.run(command)
            print(output, end="", flush=True)
            assert re.fullmatch(expected(below), output), \
                f"{command} printed\n{output}where the README has\n" + "\n".join(below)
            typed += 1
        shell.run("cd /")
    assert typed > 10
    assert not (mount.root / "functions/hello").exists()


if __name__ == "__main__":
    by_command.main(runs_as_the_readme_shows)
