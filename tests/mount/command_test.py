#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The `fnfs` command against a mounted platform: what it prints, what it answers to wrong use."""
import json
import os
import re
import signal
import subprocess
import time

import by_command
from by_command import COMMAND, SOURCE, eventually

ECHO = "def handler(event, context):\n    return event\n"
RAISE = "def handler(event, context):\n    raise ValueError('a bad day')\n"
SLEEP = "import time\n\ndef handler(event, context):\n    time.sleep(60)\n"
TALK = "def handler(event, context):\n    print('said', event['n'])\n"


def subcommands(mount):
    return re.findall(r"^  fnfs (\w+)", mount.fnfs("help").stdout, re.M)


def helps(mount):
    "Who does not know a command asks it, and gets an answer."
    names = subcommands(mount)
    assert {"mount", "umount", "call", "logs", "ls", "wait", "doctor", "new"} <= set(names)
    for name in names:
        assert mount.fnfs("help", name).stdout.startswith(f"usage: fnfs {name}")
        assert mount.fnfs(name, "--help").stdout == mount.fnfs("help", name).stdout
    assert re.fullmatch(r"fnfs \d+\.\d+\.\d+\n", mount.fnfs("--version").stdout)
    assert "no command zz" in mount.fnfs("zz", status=2).stderr
    assert "no command zz" in mount.fnfs("help", "zz", status=2).stderr


def refuses_wrong_use(mount):
    "What is typed wrong is answered with how it is typed, and does nothing."
    for words in (["call"], ["call", "a", "b", "c"], ["logs", "-n", "x", "a"], ["logs", "-f"],
                  ["logs", "--all", "-f", "a"], ["logs", "a", "b"], ["ls", "x"], ["ls", "-z"],
                  ["wait"], ["wait", "a", "--timeout", "soon"], ["wait", "a", "--timeout"],
                  ["new"], ["new", "a", "b", "c"], ["new", "a/b"], ["umount", "a", "b"],
                  ["mount", "a", "b"], ["mount", "--nonsense"], ["where", "x"], ["doctor", "x"]):
        said = mount.fnfs(*words, status=2).stderr
        assert f"usage: fnfs {words[0]}" in said, said


def calls(mount):
    "The event arrives as it was typed, and the response is printed as it is."
    mount.function("echo", ECHO)
    assert json.loads(mount.fnfs("call", "echo", '{"a": [1, "ä"]}').stdout) == {"a": [1, "ä"]}
    assert json.loads(mount.fnfs("call", "echo").stdout) == {}
    assert json.loads(mount.fnfs("call", "echo", "").stdout) == {}
    large = json.dumps({"text": "x" * (1 << 20)})
    done = mount.fnfs("call", "echo", "-", stdin=None, input=large)
    assert json.loads(done.stdout) == json.loads(large)
    file = mount.state.parent / "event.json"
    file.write_text(large)
    assert json.loads(mount.fnfs("call", "echo", f"@{file}").stdout) == json.loads(large)
    assert "No such file" in mount.fnfs("call", "echo", "@/no/such", status=3).stderr


def says_how_calls_fail(mount):
    "A call that failed has its error on standard output, a sentence on standard error, status 1."
    mount.function("raise", RAISE)
    done = mount.fnfs("call", "raise", status=1)
    body = json.loads(done.stdout)
    assert body["errorMessage"] == "a bad day" and body["errorType"] == "ValueError", body
    assert done.stderr == "fnfs: raise: the function raised an error\n", done.stderr
    assert "JSON" in mount.fnfs("call", "echo", "no json", status=1).stderr
    mount.function("late", SLEEP, timeout="200ms")
    assert "config/timeout" in mount.fnfs("call", "late", status=1).stderr
    mount.function("torn", "def handler(:\n")
    done = mount.fnfs("call", "torn", status=1)
    assert "SyntaxError" in done.stdout and "does not start" in done.stderr


def says_what_cannot_be_called(mount):
    "What is not there or not enabled is status 3, with a sentence."
    assert "there is no function nobody" in mount.fnfs("call", "nobody", status=3).stderr
    for name in ("", ".", "..", "a/b", "echo:", "echo@", "echo:..", "x" * 5000):
        assert "is no NAME" in mount.fnfs("call", name, status=3).stderr, name
    assert mount.fnfs("call", "echo:9.9.9", status=3).stderr
    assert mount.fnfs("call", "echo@nowhere", status=3).stderr
    (mount.root / "functions/echo/config/max_instances").write_text("0\n")
    assert mount.fnfs("call", "echo", status=3).stderr.startswith("fnfs: echo: ")
    (mount.root / "functions/echo/config/max_instances").write_text("100\n")


def cancels(mount):
    "Ctrl-C ends the wait at once and the call with it."
    function = mount.function("slow", SLEEP, timeout="1m")
    call = subprocess.Popen([COMMAND, "call", "slow"], env=mount.environment,
                            stdout=subprocess.DEVNULL)
    status = function / "calls/last/status"
    eventually(lambda: status.exists() and "state running" in status.read_text())
    begin = time.monotonic()
    call.send_signal(signal.SIGINT)
    assert call.wait(10) == -signal.SIGINT
    assert time.monotonic() - begin < 5
    eventually(lambda: "state cancel" in status.read_text())


def lists(mount):
    "One line for each function, with its state and its counts."
    lines = [line.split() for line in mount.fnfs("ls").stdout.splitlines()]
    assert lines[0] == ["NAME", "STATE", "CALLS", "ERRORS", "P50", "P99", "INSTANCES"]
    rows = {line[0]: line[1:] for line in lines[1:]}
    assert set(rows) == set(os.listdir(mount.root / "functions"))
    assert rows["raise"][:3] == ["ready", "1", "1"], rows["raise"]
    assert rows["torn"][0] == "broken", rows["torn"]
    assert re.fullmatch(r"[\d.]+ms", rows["echo"][3]), rows["echo"]


def waits(mount):
    "A script can wait for what it saved to be loaded, and learns when it is not."
    function = mount.function("waited", ECHO)
    assert mount.fnfs("wait", "waited").stdout == ""
    (function / "code/index.py").write_text("import nothing_of_that_name\n")
    done = mount.fnfs("wait", "waited", status=1)
    assert "state broken" in done.stdout and "nothing_of_that_name" in done.stdout, done.stdout
    for n in range(60):  # what was saved is known to be changed before anything else is asked
        (function / "code/index.py").write_text("torn(\n" if n % 2 else ECHO)
        mount.fnfs("wait", "waited", status=n % 2)
    (function / "code/index.py").write_text("import time\ntime.sleep(5)\n" + ECHO)
    done = mount.fnfs("wait", "waited", "--timeout", "100ms", status=124)
    assert done.stderr == "fnfs: waited: not ready yet\n"
    (mount.root / "functions/bare").mkdir()
    assert "state empty" in mount.fnfs("wait", "bare", status=1).stdout


def shows_logs(mount):
    "What a function said can be read back, and followed as it says it."
    mount.function("talk", TALK)
    for n in range(3):
        mount.fnfs("call", "talk", json.dumps({"n": n}))
    text = mount.fnfs("logs", "talk").stdout
    assert [f"said {n}" in text for n in range(3)] == [True] * 3
    assert mount.fnfs("logs", "--all", "talk").stdout == text
    assert mount.fnfs("logs", "-n", "2", "talk").stdout == "".join(text.splitlines(True)[-2:])
    assert mount.fnfs("logs", "-n", "0", "talk").stdout == ""
    assert mount.fnfs("logs").returncode == 0
    follower = subprocess.Popen([COMMAND, "logs", "-f", "talk"], env=mount.environment,
                                stdout=subprocess.PIPE, text=True)
    try:
        seen = [follower.stdout.readline() for _ in range(min(10, text.count("\n")))]
        assert "".join(seen) == "".join(text.splitlines(True)[-10:])
        mount.fnfs("call", "talk", '{"n": 7}')
        fresh = [follower.stdout.readline() for _ in range(3)]
        assert "Start invoke" in fresh[0] and "said 7" in fresh[1], fresh
        assert "Finish invoke" in fresh[2], fresh
    finally:
        follower.kill()
        follower.communicate()


def makes(mount):
    "A function comes from a template in one command, and what is there is not overwritten."
    for runtime in os.listdir(mount.root / "runtimes"):
        name = f"new-{runtime}"
        code = mount.fnfs("new", name, runtime).stdout.strip()
        assert code == str(mount.root / "functions" / name / "code")
        assert os.listdir(code)
        assert "has code already" in mount.fnfs("new", name, runtime, status=1).stderr
    code = mount.fnfs("new", "new-c", "bootstrap/c").stdout.strip()
    assert sorted(os.listdir(code)) == ["Makefile", "answer.c", "answer.h", "server.c"]
    assert (mount.root / "functions/new-c/config/build").read_text() == "make\n"
    listed = mount.fnfs("new", "x", "cobol", status=3).stderr
    assert "  python\n" in listed and "  bootstrap/c\n" in listed
    for wrong in "bootstrap/", "bootstrap/cobol", "bootstrap/..", "bootstrap/c/code", "../python":
        assert "python" in mount.fnfs("new", "x", wrong, status=3).stderr
    assert mount.fnfs("new", "9x", status=3).stderr
    assert not (mount.root / "functions/x").exists()


def finds_the_mount(mount):
    "The command works on the mount one stands in, wherever in it."
    environment = {key: value for key, value in mount.environment.items() if key != "FNFS"}
    for place in "", "functions/echo/code":
        done = subprocess.run([COMMAND, "where"], env=environment, text=True,
                              cwd=mount.root / place, stdout=subprocess.PIPE)
        assert done.stdout == f"{mount.root}\n"
    nowhere = {**mount.environment, "FNFS": "/tmp"}
    done = subprocess.run([COMMAND, "ls"], env=nowhere, text=True, stderr=subprocess.PIPE)
    assert done.returncode == 3 and "nothing is mounted at /tmp" in done.stderr


def completes(mount):
    "The Tab key knows subcommands and the names of functions."
    def complete(*words):
        script = f'. {SOURCE}/tools/completion/fnfs\nCOMP_WORDS=(fnfs "$@")\n' \
                 'COMP_CWORD=$#\n_fnfs\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
        done = subprocess.run(["bash", "--norc", "-c", script, "bash", *words], text=True,
                              env=mount.environment, stdout=subprocess.PIPE, check=True)
        return set(done.stdout.split())
    assert complete("um") == {"umount"}
    assert set(subcommands(mount)) <= complete("")
    assert complete("call", "ech") == {"echo"}
    assert complete("logs", "tal") == {"talk"}
    assert complete("new", "x", "pyth") == {"python"}
    assert complete("new", "x", "bootstrap/") == {"bootstrap/c", "bootstrap/shell"}


def examines(mount):
    "The doctor speaks of every part, and of nothing missing where all of this works."
    done = mount.fnfs("doctor")
    assert "/dev/fuse" in done.stdout and "missing" not in done.stdout, done.stdout


def refuses_to_leave_while_in_use(mount):
    "umount does not pull the mount away under somebody, and says who it is."
    sleeper = subprocess.Popen(["sleep", "60"], cwd=mount.root / "functions")
    try:
        said = mount.fnfs("umount", mount.root, status=1).stderr
        assert f"sleep (pid {sleeper.pid}) works in {mount.root}/functions" in said, said
        assert by_command.mounted_at(mount.root) == 1
    finally:
        sleeper.kill()
        sleeper.wait()


def survives_a_dead_daemon(mount):
    "After kill -9 every command says what to type, and typing that brings everything back."
    os.kill(mount.daemon(), signal.SIGKILL)
    for words in (["ls"], ["call", "echo"], ["logs", "echo"], ["wait", "echo"], ["where"],
                  ["new", "y"]):
        begin = time.monotonic()
        said = mount.fnfs(*words, status=3).stderr
        assert f"fnfs mount {mount.root}" in said, said
        assert time.monotonic() - begin < 5
    mount.start()
    assert by_command.mounted_at(mount.root) == 1
    assert json.loads(mount.fnfs("call", "echo", '{"back": true}').stdout) == {"back": True}


def leaves(mount):
    "umount ends the daemon and takes the mount with it; the next mount has everything."
    daemon = mount.daemon()
    mount.fnfs("umount", mount.root)
    assert by_command.mounted_at(mount.root) == 0
    eventually(lambda: not os.path.exists(f"/proc/{daemon}"))  # init has to reap it
    assert "no fnfs is mounted" in mount.fnfs("umount", mount.root, status=3).stderr
    mount.start()
    assert json.loads(mount.fnfs("call", "echo", "{}").stdout) == {}
    os.kill(mount.daemon(), signal.SIGKILL)
    mount.fnfs("umount", mount.root)
    assert by_command.mounted_at(mount.root) == 0
    mount.start()


def mounts_from_fstab(mount):
    "mount(8) starts it as `fnfs SOURCE DIR -o OPTIONS`, with options that are not for us."
    place, state = mount.root.parent / "other", mount.root.parent / "other-state"
    mount.fnfs(state, place, "-o", "rw,noauto,user,x-systemd.automount,_netdev,nosuid,nodev")
    try:
        assert by_command.mounted_at(place) == 1 and state.is_dir()
        environment = {key: value for key, value in mount.environment.items() if key != "FNFS"}
        done = subprocess.run([COMMAND, "ls"], env=environment, text=True, cwd="/",
                              stderr=subprocess.PIPE)
        assert done.returncode == 3 and "several mounts" in done.stderr
    finally:
        mount.fnfs("umount", place)


if __name__ == "__main__":
    by_command.main(helps, refuses_wrong_use, calls, says_how_calls_fail, says_what_cannot_be_called,
                 cancels, lists, waits, shows_logs, makes, finds_the_mount, completes, examines,
                 refuses_to_leave_while_in_use, survives_a_dead_daemon, leaves, mounts_from_fstab)
