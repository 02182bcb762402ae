#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Publishing, shipping, moving and checking versions with the `fnfs` command, on a mounted platform."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import threading
import time

import by_command
from by_command import COMMAND, LONG, eventually

ANSWER = "def handler(event, context):\n    return %d\n"
RAISE = "def handler(event, context):\n    raise ValueError('bad')\n"
SLOW = "import time\n\ndef handler(event, context):\n    time.sleep(0.05)\n    return 3\n"


def function(mount, name, code=ANSWER % 1):
    return mount.function(name, code)


def version(mount, name, code, number):
    """Saves and publishes."""
    path = mount.root / "functions" / name
    (path / "code/index.py").write_text(code)
    mount.fnfs("publish", name, number)
    return path / "versions" / number


def routes(path, alias="prod"):
    return (path / "aliases" / alias / "routes").read_text()


@contextlib.contextmanager
def traffic(mount, target):
    """Calls on and on meanwhile, by a few conversations at once."""
    name, alias = target.split("@")
    path = mount.root / "functions" / name / "aliases" / alias / "invoke"
    over = threading.Event()

    def call():
        while not over.is_set():
            try:
                with open(path, "r+b", buffering=0) as invoke:
                    invoke.write(b"{}")
                    invoke.read()
            except OSError:
                time.sleep(0.001)  # the function failed, or the alias is not there yet

    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        over.set()
        for caller in callers:
            caller.join()


# --- publish ---------------------------------------------------------------------------------------


def publishes(mount):
    "What was published stays as it was, under the name that was asked for or the next number."
    path = function(mount, "pub")
    assert mount.fnfs("publish", "pub").stdout == "1\n"
    (path / "code/index.py").write_text(ANSWER % 2)
    assert mount.fnfs("publish", "pub", "1.0.0").stdout == ""
    assert mount.fnfs("publish", "pub", "9").stdout == ""
    assert mount.fnfs("publish", "pub").stdout == "10\n"
    assert (path / "versions/1/code/index.py").read_text() == ANSWER % 1
    assert (path / "versions/10/code/index.py").read_text() == ANSWER % 2
    assert json.loads(mount.fnfs("call", "pub:1").stdout) == 1


def says_what_is_not_published(mount):
    "A name that is taken or out of rule is refused with a sentence that says so."
    function(mount, "named")
    mount.fnfs("publish", "named", "1")
    assert "already" in mount.fnfs("publish", "named", "1", status=1).stderr
    assert "already" in mount.fnfs("publish", "named", "latest", status=1).stderr
    assert "letters, digits" in mount.fnfs("publish", "named", ".x", status=1).stderr
    for name in ("", ".", "..", "a/b", "../x"):
        assert "no name for a version" in mount.fnfs("publish", "named", name, status=1).stderr
    assert mount.fnfs("publish", "named", "1" * 43, status=None).returncode in (1, 3)
    assert "no function nobody" in mount.fnfs("publish", "nobody", status=3).stderr
    assert "usage: fnfs publish" in mount.fnfs("publish", status=2).stderr
    assert sorted(os.listdir(mount.root / "functions/named/versions")) == ["1", "latest"]


def refuses_a_socket(mount):
    "A tree that cannot be kept is not kept in part: the path that is in the way is named."
    import socket
    path = function(mount, "socket")
    with socket.socket(socket.AF_UNIX) as made:
        here = os.getcwd()
        os.chdir(path / "code")  # the name of a socket has 107 bytes at most
        try:
            made.bind("door")
        finally:
            os.chdir(here)
        assert "door" in mount.fnfs("publish", "socket", "1", status=1).stderr
    assert os.listdir(path / "versions") == ["latest"]


# --- ship ------------------------------------------------------------------------------------------


def ships(mount):
    "One command publishes, makes the alias and sends the calls there; again, it changes nothing."
    path = function(mount, "ship")
    assert "1.0 is published" in mount.fnfs("ship", "ship", "1.0").stdout
    assert routes(path) == "1.0 100\n"
    (path / "code/index.py").write_text(ANSWER % 2)
    mount.fnfs("ship", "ship", "1.1", "--canary", "10")
    assert routes(path) == "1.0 90\n1.1 10\n"
    status = (path / "aliases/prod/status").read_text()
    mount.fnfs("ship", "ship", "1.1", "--canary", "10")
    assert (path / "aliases/prod/status").read_text() == status
    mount.fnfs("ship", "ship", "1.1", "--canary", "12.5")
    assert routes(path) == "1.0 87.5\n1.1 12.5\n"
    mount.fnfs("ship", "ship", "latest", "--canary", "50")
    assert routes(path) == "1.0 43.75\n1.1 6.25\nlatest 50\n"
    mount.fnfs("ship", "ship", "1.1")
    assert routes(path) == "1.1 100\n"
    mount.fnfs("ship", "ship", "1.0", "--alias", "beta", "--canary", "1")
    assert routes(path, "beta") == "1.0 100\n"


def keeps_rules_in_a_canary(mount):
    "Rules and sticky keys that somebody wrote are still there beside a canary."
    path = function(mount, "rules")
    for number in "123":
        mount.fnfs("publish", "rules", number)
    (path / "aliases/prod").mkdir()
    (path / "aliases/prod/routes").write_text(
        "3 if header x-user = beta\n1 1\n2 2 sticky field user.id\n")
    mount.fnfs("ship", "rules", "2", "--canary", "25")
    assert routes(path) == "3 if header x-user = beta\n1 75\n2 25 sticky field user.id\n", \
        routes(path)
    assert "rules" in mount.fnfs("ship", "rules", "2").stdout
    assert routes(path) == "2 100\n"


def refuses_wrong_shipping(mount):
    "What is typed wrong changes nothing."
    path = function(mount, "typed")
    for words in ([], ["typed"], ["typed", "1", "2"], ["typed", "1", "--canary", "0"],
                  ["typed", "1", "--canary", "101"], ["typed", "1", "--canary", "x"],
                  ["typed", "1", "--for", "3s"], ["typed", "1", "--max-p99", "2"],
                  ["typed", "1", "--watch", "--for", "soon"],
                  ["typed", "1", "--watch", "--max-p99", "0.5"],
                  ["typed", "1", "--watch", "--max-error-share", "-1"],
                  ["typed", "1", "--alias", "a/b"], ["typed", "1", "--nonsense"]):
        assert "usage: fnfs ship" in mount.fnfs("ship", *words, status=2).stderr
    assert "alias" in mount.fnfs("ship", "typed", "1", "--alias", "1 x", status=3).stderr
    assert os.listdir(path / "aliases") == []


def rolls_back_what_fails(mount):
    "A version that fails more often than the one before is taken out by itself."
    path = function(mount, "fails")
    mount.fnfs("ship", "fails", "good")
    (path / "code/index.py").write_text(RAISE)
    with traffic(mount, "fails@prod"):
        done = mount.fnfs("ship", "fails", "bad", "--canary", "20", "--watch", "--for", "60s",
                          status=1)
    assert "bad is rolled back" in done.stderr and "fail" in done.stderr, done.stderr
    assert routes(path) == "good 100\n"


def rolls_back_a_whole_ship(mount):
    "Also where all calls went to it at once: then it is compared with what the old one was."
    path = function(mount, "whole")
    mount.fnfs("ship", "whole", "good")
    with traffic(mount, "whole@prod"):
        count = path / "aliases/prod/metrics/good/count"
        eventually(lambda: count.exists() and int(count.read_text()) > 50)
        (path / "code/index.py").write_text(RAISE)
        mount.fnfs("ship", "whole", "bad", "--watch", "--for", "60s", status=1)
    assert routes(path) == "good 100\n"


def rolls_back_what_is_slow(mount):
    "A version whose p99 is several times as long is taken out, though nothing of it fails."
    path = function(mount, "slow")
    mount.fnfs("ship", "slow", "quick")
    (path / "code/index.py").write_text(SLOW)
    with traffic(mount, "slow@prod"):
        done = mount.fnfs("ship", "slow", "slow", "--canary", "50", "--watch", "--for", "100s",
                          "--max-p99", "1.5", status=1)
    assert "p99" in done.stderr, done.stderr
    assert routes(path) == "quick 100\n"


def promotes_what_is_good(mount):
    "A version that does as well as the one before gets all calls when the time is over."
    path = function(mount, "good")
    mount.fnfs("ship", "good", "1")
    (path / "code/index.py").write_text(ANSWER % 2)
    with traffic(mount, "good@prod"):
        done = mount.fnfs("ship", "good", "2", "--canary", "50", "--watch", "--for", "3s",
                          "--max-p99", "1000")
    assert "2 is good" in done.stdout and " 0.0% failed" in done.stdout, done.stdout
    assert routes(path) == "2 100\n"


def judges_on_enough_calls_only(mount):
    "A few calls are no reason for anything: neither to roll back nor to go on."
    path = function(mount, "few")
    mount.fnfs("ship", "few", "1")
    version(mount, "few", RAISE, "2")
    begun = subprocess.Popen([COMMAND, "ship", "few", "2", "--canary", "50", "--watch", "--for",
                              "2s"], env=mount.environment, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
    eventually(lambda: "2 50" in routes(path))
    for _ in range(6):
        mount.fnfs("call", "few@prod", status=None)
    said = begun.communicate(timeout=60)[1]
    assert begun.returncode == 124 and "too few" in said, (begun.returncode, said)
    assert routes(path) == "1 50\n2 50\n"
    assert "nothing is watched" in mount.fnfs("ship", "few", "1", "--alias", "fresh",
                                              "--watch").stdout


def leaves_routes_of_others(mount):
    "Who changes the routes while a ship is watched is not overruled."
    path = function(mount, "others")
    mount.fnfs("ship", "others", "1")
    version(mount, "others", RAISE, "2")
    mount.fnfs("publish", "others", "3")
    begun = subprocess.Popen([COMMAND, "ship", "others", "2", "--canary", "50", "--watch"],
                             env=mount.environment, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
    eventually(lambda: "2 50" in routes(path))
    (path / "aliases/prod/routes").write_text("3\n")
    said = begun.communicate(timeout=60)[1]
    assert begun.returncode == 3 and "somebody else" in said, (begun.returncode, said)
    assert routes(path) == "3 100\n"


# --- export and import -----------------------------------------------------------------------------


def describe(root):
    """All of a tree that a version keeps."""
    found, first = {}, {}
    root = os.fsencode(root)
    for directory, names, files in os.walk(root):
        for name in [b"."] + names + files:
            path = os.path.normpath(os.path.join(directory, name))
            state = os.lstat(path)
            entry = [oct(state.st_mode), state.st_mtime_ns]
            if stat.S_ISLNK(state.st_mode):
                entry.append(os.readlink(path))
            elif stat.S_ISREG(state.st_mode):
                with open(path, "rb") as file:
                    entry.append(file.read())
            if not stat.S_ISDIR(state.st_mode):
                entry.append(first.setdefault(state.st_ino, os.path.relpath(path, root)))
            found[os.path.relpath(path, root)] = entry
    return found


def settings(path):
    return {str(file.relative_to(path)): file.read_bytes()
            for file in sorted((path / "config").rglob("*")) if file.is_file()}


def everything(path):
    """What an export is to keep of a function."""
    kept = {"code": describe(path / "code"), "config": settings(path)}
    for name in os.listdir(path / "versions"):
        if name != "latest":
            at = path / "versions" / name
            kept["version " + name] = (describe(at / "code"), settings(at))
    for name in os.listdir(path / "aliases"):
        at = path / "aliases" / name
        kept["alias " + name] = (at / "routes").read_text(), (at / "description").read_text()
    for name in os.listdir(path / "triggers"):
        kept["trigger " + name] = {file.name: file.read_text()
                                   for file in (path / "triggers" / name).iterdir()
                                   if file.stat().st_mode & 0o200}
    return kept


def make_tree(code):
    """Everything that a tree can have."""
    code = pathlib.Path(code)
    (code / "empty").mkdir()
    (code / "deep/er").mkdir(parents=True)
    (code / "deep/er/x").write_text("x\n")
    os.link(code / "deep/er/x", code / "deep/hard")
    os.symlink("deep/er", code / "inside")
    os.symlink("/no/where", code / "outside")
    os.link(code / "outside", code / "deep/outside", follow_symlinks=False)
    os.mkfifo(code / "pipe")
    (code / "sp ace\nü").write_text("ü")
    with open(os.fsencode(code) + b"/raw\xff", "w") as file:
        file.write("raw")
    with open(code / "sparse", "wb") as file:
        file.seek(3 << 20)
        file.write(b"end")
    long = code / ("n" * 200) / ("m" * 200)
    long.mkdir(parents=True)
    (long / "file").write_text("far away")
    (code / ".git").mkdir()
    (code / ".git/config").write_text("not in a version\n")
    (code / "deep/er/x").chmod(0o4755)
    os.utime(code / "deep/er/x", ns=(1, 981173106123456789))
    os.utime(code / "inside", ns=(1, 10**18 + 1), follow_symlinks=False)
    os.utime(code / "sparse", ns=(1, -86400 * 10**9))
    (code / "deep").chmod(0o500)
    os.utime(code / "empty", ns=(1, 12345678901))
    code.chmod(0o711)
    os.utime(code, ns=(1, 1431392461500000000))


def make_full(mount, name):
    path = function(mount, name)
    make_tree(path / "code")
    config = path / "config"
    (config / "timeout").write_text("17s\n")
    (config / "env/LINES").write_text("a\nb\n\n")
    (config / "env/EMPTY").write_text("")
    mount.fnfs("publish", name, "1.0")
    (path / "versions/1.0/config/max_instances").write_text("7\n")
    (path / "versions/1.0/config/description").write_text("the first\n")
    (path / "code/index.py").write_text(ANSWER % 2)
    (config / "env/EMPTY").unlink()
    (config / "timeout").write_text("2m\n")
    mount.fnfs("publish", name, "10")
    mount.fnfs("publish", name, "2")
    mount.fnfs("ship", name, "10")
    mount.fnfs("ship", name, "2", "--canary", "7")
    (path / "aliases/beta").mkdir()
    (path / "aliases/beta/routes").write_text("1.0 if header x = y\nlatest 1\n")
    (path / "aliases/beta/description").write_text("for a few\n")
    (path / "code/index.py").write_text(ANSWER % 3)
    return path


def export(mount, name):
    """The archive, as a file beside the mount."""
    file = mount.root.parent / f"{name}.fnfs"
    with open(file, "wb") as out:
        done = subprocess.run([COMMAND, "export", name], env=mount.environment, stdout=out,
                              timeout=60)
    assert done.returncode == 0
    return file


def take_in(mount, file, *words, status=0):
    with open(file, "rb") as archive:
        return mount.fnfs("import", *words, status=status, stdin=archive)


def moves(mount):
    "A function, its versions and its aliases are the same elsewhere, to the nanosecond."
    path = make_full(mount, "full")
    file = export(mount, "full")
    said = take_in(mount, file, "copy").stdout
    assert "published 3" in said and "aliases 2" in said, said
    copy = mount.root / "functions/copy"
    wanted, found = everything(path), everything(copy)
    for part in wanted:
        assert found.get(part) == wanted[part], part
    assert found == wanted
    order = [name for name in os.listdir(copy / "versions") if name != "latest"]
    assert order == ["1.0", "10", "2"], order
    assert sorted(os.listdir(copy / "versions/1.0/code")) == \
        sorted(set(os.listdir(path / "code")) - {".git"})
    assert json.loads(mount.fnfs("call", "copy:1.0").stdout) == 1
    assert json.loads(mount.fnfs("call", "copy").stdout) == 3


def moves_with_packages(mount):
    "What a version depends on is bound again to the same version of the package, or said to be missing."
    package = mount.root / "dependencies/moved"
    package.mkdir()
    path = function(mount, "bound")
    os.symlink("../../../../dependencies/moved", path / "config/dependencies/lib")
    for number in "12":
        (package / "files/lib.py").write_text(f"VALUE = {number}\n")
        (package / "versions" / number).mkdir()
        mount.fnfs("publish", "bound", number)
    file = export(mount, "bound")
    assert "there already" in take_in(mount, file).stdout
    take_in(mount, file, "bound2")
    copy = mount.root / "functions/bound2"
    assert os.readlink(copy / "config/dependencies/lib") == "../../../../dependencies/moved"
    for number in "12":
        link = copy / "versions" / number / "config/dependencies/lib"
        assert os.readlink(link).endswith(f"/dependencies/moved/versions/{number}")
    assert " 0 problems" in mount.fnfs("fsck").stdout
    for name in ("bound", "bound2"):
        subprocess.run(["rm", "-rf", mount.root / "functions" / name], check=True)
    subprocess.run(["rm", "-rf", package / "versions/2"], check=True)
    before = sorted(os.listdir(mount.root / "functions"))
    assert "moved/versions/2" in take_in(mount, file, status=1).stderr
    assert sorted(os.listdir(mount.root / "functions")) == before


def make_trigger(path, name, source, value, **settings):
    trigger = path / "triggers" / name
    trigger.mkdir()
    for key, text in settings.items():
        (trigger / key).write_text(text + "\n")
    (trigger / source).write_text(value + "\n")
    return trigger


def moves_with_triggers(mount):
    "What calls a function goes with it, and calls when all is there; a refusal leaves nothing behind."
    (mount.root / "topics/news").mkdir()
    path = function(mount, "called")
    mount.fnfs("publish", "called", "1.0")
    (path / "aliases/prod").mkdir()
    tick = make_trigger(path, "tick", "timer", "@every 1s", payload="a\nb", target="prod")
    make_trigger(path, "off", "timer", "0 3 * * *", enabled="0", missed="once", target="1.0",
                 rate="5/m", concurrency="2", format="raw")
    make_trigger(path, "news", "topic", "news")
    (path / "triggers/bare").mkdir()
    file = export(mount, "called")
    assert "triggers 4" in take_in(mount, file, "called2").stdout
    copy = mount.root / "functions/called2"
    assert everything(copy) == everything(path)
    eventually(lambda: os.listdir(copy / "aliases/prod/results"))
    assert "there already" in take_in(mount, file, "called2").stdout
    subprocess.run(["rm", "-rf", copy / "triggers/off"], check=True)
    (copy / "triggers/tick/enabled").write_text("0\n")
    assert "triggers 1" in take_in(mount, file, "called2").stdout
    assert (copy / "triggers/tick/enabled").read_text() == "0\n"
    (copy / "triggers/tick/payload").write_text("other\n")
    assert "another triggers/tick/payload" in take_in(mount, file, "called2", status=1).stderr
    take_in(mount, file, "--without-triggers", "called2")
    # A route is given once, and a topic is here or not.
    tick.joinpath("enabled").write_text("0\n")
    make_trigger(path, "web", "http", "/called")
    file = export(mount, "called")
    before = sorted(os.listdir(mount.root / "functions"))
    assert "triggers/web/http" in take_in(mount, file, "called3", status=3).stderr
    assert sorted(os.listdir(mount.root / "functions")) == before
    assert "triggers 0" in take_in(mount, file, "--without-triggers", "called3").stdout
    assert os.listdir(mount.root / "functions/called3/triggers") == []
    for name in ("called", "called2", "called3"):
        subprocess.run(["rm", "-rf", mount.root / "functions" / name], check=True)
    take_in(mount, file)
    assert (path / "triggers/web/http").read_text() == "/called\n"
    subprocess.run(["rm", "-rf", path], check=True)
    (mount.root / "topics/news").rmdir()
    assert "topic" in take_in(mount, file, status=3).stderr
    assert not path.exists()


def moves_with_destinations_of_its_own(mount):
    "Records of calls may go to an alias of the same function, which a version needs before its routes are there."
    path = function(mount, "chained")
    mount.fnfs("publish", "chained", "1.0")
    (path / "aliases/prod").mkdir()
    os.symlink("../aliases/prod/queue", path / "config/on_success")
    os.symlink("../queue", path / "config/on_failure")
    mount.fnfs("publish", "chained", "2.0")
    (path / "aliases/prod/routes").write_text("2.0\n")
    file = export(mount, "chained")
    take_in(mount, file, "chained2")
    copy = mount.root / "functions/chained2"
    assert everything(copy) == everything(path)
    assert os.readlink(copy / "config/on_success") == "../aliases/prod/queue"
    assert (copy / "aliases/prod/routes").read_text() == "2.0 100\n"
    assert os.readlink(copy / "versions/2.0/config/on_success").endswith("aliases/prod/queue")
    assert not os.path.lexists(copy / "versions/1.0/config/on_success")
    assert "there already" in take_in(mount, file, "chained2").stdout
    subprocess.run(["rm", "-rf", path], check=True)
    take_in(mount, file)
    assert (path / "aliases/prod/routes").read_text() == "2.0 100\n"


def moves_through_a_pipe(mount):
    "As `ssh HERE fnfs export x | ssh THERE fnfs import x` does it."
    exporting = subprocess.Popen([COMMAND, "export", "full"], env=mount.environment,
                                 stdout=subprocess.PIPE)
    mount.fnfs("import", "piped", stdin=exporting.stdout)
    assert exporting.wait() == 0
    assert everything(mount.root / "functions/piped") == everything(mount.root / "functions/full")


def imports_twice(mount):
    "The same again does nothing, and says so; what is missing is made good."
    file = mount.root.parent / "full.fnfs"
    copy = mount.root / "functions/copy"
    before = everything(copy)
    inodes = {name: (copy / "versions" / name).stat().st_ino for name in ("1.0", "10", "2")}
    assert "there already" in take_in(mount, file, "copy").stdout
    assert everything(copy) == before
    assert inodes == {name: (copy / "versions" / name).stat().st_ino for name in inodes}
    (copy / "aliases/beta").rmdir()
    (copy / "versions/1.0").rmdir()
    assert "published 1, there before 2; aliases 1" in take_in(mount, file, "copy").stdout
    assert everything(copy) == before


def refuses_what_is_other(mount):
    "An import never changes what stands there: it says what is other, and does nothing."
    file = mount.root.parent / "full.fnfs"
    other = mount.root / "functions/other"
    take_in(mount, file, "other")
    routed = routes(other)
    for what, change, back in (
            ("code", lambda: (other / "code/new").write_text("x"),
             lambda: (other / "code/new").unlink()),
            ("timeout", lambda: (other / "config/timeout").write_text("9s\n"),
             lambda: (other / "config/timeout").write_text("2m\n")),
            ("env/NEW", lambda: (other / "config/env/NEW").write_text("x\n"),
             lambda: (other / "config/env/NEW").unlink()),
            ("prod", lambda: (other / "aliases/prod/routes").write_text("10\n"),
             lambda: (other / "aliases/prod/routes").write_text(routed))):
        state = os.stat(other / "code")
        change()
        before = everything(other)
        said = take_in(mount, file, "other", status=1).stderr
        assert what in said and "nothing was changed" in said, said
        assert everything(other) == before
        back()
        os.utime(other / "code", ns=(1, state.st_mtime_ns))
    (other / "aliases/prod").rmdir()
    (other / "versions/2").rmdir()
    state = os.stat(other / "code/index.py")
    version(mount, "other", ANSWER % 4, "2")
    (other / "code/index.py").write_text(ANSWER % 3)
    os.utime(other / "code/index.py", ns=(1, state.st_mtime_ns))
    before = everything(other)
    assert "another version 2 than" in take_in(mount, file, "other", status=1).stderr
    assert everything(other) == before


def refuses_damaged_archives(mount):
    "What was cut off, altered, or is something else is refused, and nothing of it is left."
    functions = mount.root / "functions"
    whole = (mount.root.parent / "full.fnfs").read_bytes()
    plain = subprocess.run(["zstd", "-dc"], input=whole, stdout=subprocess.PIPE).stdout \
        if shutil.which("zstd") else b""
    bad = mount.root.parent / "bad.fnfs"
    before = sorted(os.listdir(functions))
    ends = sorted({0, 1, 511, 512, len(whole) // 3, len(whole) // 2, len(whole) - 1})
    pieces = [whole[:end] for end in ends]
    pieces += [plain[:end * 512] for end in range(0, len(plain) // 512 - 4, 97 if LONG else 997)]
    for place in range(100, len(plain), 1 << (12 if LONG else 20)):
        pieces.append(plain[:place] + bytes([plain[place] ^ 1]) + plain[place + 1:])
    if plain:
        pieces.append(plain.replace(b"the first", b"the other"))
        pieces.append(plain.replace(b"name full", b"name ../x"))
    pieces += [b"hello\n" * 1000, subprocess.run(["tar", "c", "-C", "/etc", "hostname"],
                                                 stdout=subprocess.PIPE).stdout]
    for piece in pieces:
        bad.write_bytes(piece)
        done = take_in(mount, bad, "fresh", status=None)
        if done.returncode == 0:  # a byte that means nothing: of the padding, or of the magic
            assert everything(functions / "fresh") == everything(functions / "full")
            subprocess.run(["rm", "-rf", functions / "fresh"], check=True)
            continue
        assert done.returncode == 3 and done.stderr.startswith("fnfs: "), done
        assert sorted(os.listdir(functions)) == before
    assert "usage" in mount.fnfs("import", "a", "b", status=2).stderr


def leaves_nothing_when_refused(mount):
    "An import that the platform refuses half-way, or that is interrupted, leaves nothing."
    functions = mount.root / "functions"
    path = function(mount, "strange")
    mount.fnfs("publish", "strange", "1")
    (path / "aliases/prod").mkdir()
    file = export(mount, "strange")
    before = sorted(os.listdir(functions))
    assert mount.fnfs("import", "9bad name", status=3,
                      stdin=open(file, "rb")).stderr.startswith("fnfs: ")
    assert sorted(os.listdir(functions)) == before
    large = function(mount, "large")
    for number in range(300):
        (large / f"code/{number}").write_bytes(os.urandom(20000))
    for number in range(5):
        mount.fnfs("publish", "large", str(number))
    file = export(mount, "large")
    before = sorted(os.listdir(functions))
    with open(file, "rb") as archive:
        begun = subprocess.Popen([COMMAND, "import", "again"], env=mount.environment,
                                 stdin=archive, stderr=subprocess.PIPE, text=True)
    eventually(lambda: len(os.listdir(functions)) > len(before))
    begun.send_signal(signal.SIGINT)
    said = begun.communicate(timeout=60)[1]
    assert begun.returncode == 3 and "interrupted" in said, (begun.returncode, said)
    assert sorted(os.listdir(functions)) == before


# --- fsck ------------------------------------------------------------------------------------------


def checks(mount):
    "What was published is whole, and fsck says so, of all and of one function."
    done = mount.fnfs("fsck")
    assert done.stdout.splitlines()[-1].endswith(" 0 problems") and \
        len(done.stdout.splitlines()) == 1, done.stdout
    assert " 3 versions, 0 problems" in mount.fnfs("fsck", "full").stdout
    assert ".fsck" not in os.listdir(mount.root)
    assert stat.S_IMODE(os.stat(mount.root / ".fsck").st_mode) == 0o400
    assert "no function nobody" in mount.fnfs("fsck", "nobody", status=3).stderr
    said = mount.fnfs("fsck", "--state", mount.state, status=3).stderr
    assert "belongs to the daemon" in said, said
    assert "no state directory" in mount.fnfs("fsck", "--state", "/no", status=3).stderr


def checks_beside_others(mount):
    "Several check at once, one of them leaves early, and others publish meanwhile."
    early = open(mount.root / ".fsck", "rb")
    begun = [subprocess.Popen([COMMAND, "fsck"], env=mount.environment, text=True,
                              stdout=subprocess.PIPE) for _ in range(3)]
    early.close()
    mount.fnfs("publish", "full", "meanwhile")
    (mount.root / "functions/full/versions/meanwhile").rmdir()
    for check in begun:
        assert " 0 problems" in check.communicate(timeout=60)[0]
        assert check.returncode == 0


def finds_damage(mount):
    "One byte that turned over on the disk is found, and whose it is is said."
    name, text = "damaged", "a text that stands nowhere else " * 40
    path = function(mount, name)
    (path / "code/text").write_text(text)
    before = set(os.listdir(mount.state / "packs"))
    mount.fnfs("publish", name, "1")
    mount.fnfs("publish", name, "2")
    pack = mount.state / "packs" / (set(os.listdir(mount.state / "packs")) - before).pop()
    mount.stop()
    data = bytearray(pack.read_bytes())
    data[data.index(b"a text that stands nowhere") + 5] ^= 1
    pack.write_bytes(data)
    done = mount.fnfs("fsck", "--state", mount.state, status=1)
    assert f"{name}, version 1: the content" in done.stdout, done.stdout
    mount.start()
    said = mount.fnfs("fsck", status=1).stdout
    for number in "12":
        assert f"{name}, version {number}: the content" in said and "/text" in said, said
    assert said.splitlines()[-1].endswith(" problems")
    assert "/text" in mount.fnfs("fsck", name, status=1).stdout
    assert " 0 problems" in mount.fnfs("fsck", "full").stdout
    exported = subprocess.run([COMMAND, "export", name], env=mount.environment, text=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert exported.returncode == 3 and "versions/1/code/text" in exported.stderr, exported


if __name__ == "__main__":
    by_command.main(publishes, says_what_is_not_published, refuses_a_socket, ships,
                    keeps_rules_in_a_canary, refuses_wrong_shipping, rolls_back_what_fails,
                    rolls_back_a_whole_ship, rolls_back_what_is_slow, promotes_what_is_good,
                    judges_on_enough_calls_only, leaves_routes_of_others, moves,
                    moves_with_packages, moves_with_triggers,
                    moves_with_destinations_of_its_own, moves_through_a_pipe, imports_twice,
                    refuses_what_is_other,
                    refuses_damaged_archives, leaves_nothing_when_refused, checks,
                    checks_beside_others, finds_damage)
