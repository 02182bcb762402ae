#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Code is edited with whatever one is used to. A user would lose the text, its mode, or the other names
of the file, and find swap files and backups that the editor could not remove."""
import workshop
from workshop import need

TEXT = "def handler(event, context):\n    return 1\n"


def vim_with_its_defaults(place):
    "vim on a terminal: swap file, backup, rename, fsync."
    need("vim")
    place.write("index.py", TEXT, 0o644)
    place.write("tool.sh", "#!/bin/sh\necho one\n", 0o755)
    for name, change in ("index.py", ":%s/return 1/return 2/\r"), ("tool.sh", ":%s/one/two/\r"), \
            ("new.txt", "ihello\x1b"):
        place.type(["vim", "-i", "NONE", name], change, ":wq\r")
    place.type(["vim", "-i", "NONE", "index.py"], "Go# one more\x1b", ":w\r", "Go# and one\x1b", ":x\r")
    place.type(["vim", "-i", "NONE", "index.py"], "ddp", ":q!\r")
    place.run("./tool.sh")


def vim_on_links(place):
    "A file with several names and one behind a symbolic link stay what they are."
    need("vim")
    place.write("a", TEXT, 0o640)
    place.shell("ln a b; ln -s a c; mkdir d; ln -s ../a d/e")
    for name in "a", "c", "d/e":
        place.run("vim", "-es", "-i", "NONE", "-u", "DEFAULTS", "-c", "%s/return/return 1 +/", "-c", "wq",
                  name)


def vim_with_every_way_to_write(place):
    "backupcopy, backup and undo files."
    need("vim")
    for number, settings in enumerate(("backupcopy=yes", "backupcopy=no", "backup", "undofile nobackup",
                                       "nowritebackup", "patchmode=.orig")):
        name = f"f{number}"
        place.write(name, TEXT, 0o604)
        place.run("vim", "-es", "-i", "NONE", "-u", "DEFAULTS", "-c", f"set {settings}", "-c",
                  "%s/1/2/", "-c", "wq", name)
    place.left_out = (".f3.un~",)


def vim_finds_what_was_left(place):
    "A swap file of a vim that died is found, and what was in it recovered."
    need("vim")
    place.write("a", TEXT)
    place.shell("cat > script.vim <<'END'\n%s/1/7/\npreserve\ncall system('kill -9 ' . getpid())\nEND\n")
    place.run("vim", "-es", "-i", "NONE", "-u", "DEFAULTS", "-S", "script.vim", "a", status=None,
              silent=True)
    place.say(sorted(path.name for path in place.directory.iterdir()))
    place.run("vim", "-es", "-i", "NONE", "-u", "DEFAULTS", "-r", "a", "-c", "w! recovered", "-c", "qa!",
              status=None, silent=True)
    place.path(".a.swp").unlink()


def nano_on_a_terminal(place):
    "nano: typed, saved, left."
    need("nano")
    place.write("index.py", TEXT, 0o600)
    place.type(["nano", "--ignorercfiles", "index.py"], "# typed\r", "\x0f", "\r", "\x18")
    place.type(["nano", "--ignorercfiles", "--backup", "index.py"], "# again\r", "\x0f", "\r", "\x18")
    place.type(["nano", "--ignorercfiles", "new.txt"], "hello", "\x18", "y", "\r")
    place.read("new.txt").index("hello")


def emacs_on_a_terminal(place):
    "emacs: lock link, backup by renaming, save."
    need("emacs")
    place.write("index.py", TEXT, 0o640)
    # It makes no backups below /tmp unless it is told to.
    place.type(["emacs", "-nw", "-Q", "--eval", "(setq backup-enable-predicate (lambda (_) t))",
                "index.py"], "# typed\r", "\x18\x13", "\x18\x03")
    place.read("index.py").index("# typed")
    place.read("index.py~").index("return 1")


def emacs_in_batches(place):
    "emacs without a terminal, several saves of one file, backups by number."
    need("emacs")
    place.write("a.txt", TEXT, 0o755)
    place.shell("ln -s a.txt link.txt")
    for name in "a.txt", "link.txt":
        place.run("emacs", "-Q", "--batch", name, "--eval",
                  '(progn (setq version-control t kept-new-versions 9) (insert "one\\n") (save-buffer)'
                  ' (insert "two\\n") (save-buffer t) (insert "three\\n") (save-buffer t))', silent=True)


def sed_and_perl_in_place(place):
    "sed -i and perl -i write beside and rename, or keep a backup."
    need("perl")
    for name in "abcdef":
        place.write(name, TEXT * 50, 0o751)
    place.shell("ln f g; ln -s b link")
    place.run("sed", "-i", "s/1/2/", "a", "b")
    place.run("sed", "-i.bak", "s/1/3/", "c")
    place.run("sed", "-i", "--follow-symlinks", "s/2/4/", "link")
    place.run("perl", "-i", "-pe", "s/1/5/", "d")
    place.run("perl", "-i.orig", "-pe", "s/1/6/", "e")
    place.run("sed", "-i", "1d", "f")
    place.run("sort", "-u", "-o", "a", "a")
    place.run("truncate", "-s", "10", "d")


def patch_and_ed_scripts(place):
    "patch, with backups and rejects."
    need("patch", "diff")
    place.write("a", TEXT)
    place.write("b", TEXT.replace("1", "2"))
    place.shell("diff -u --label a --label a a b > change || true")
    place.run("patch", "-b", "a", "change")
    place.run("patch", "--forward", "a", "change", status=1)


if __name__ == "__main__":
    workshop.main(vim_with_its_defaults, vim_on_links, vim_with_every_way_to_write,
                  vim_finds_what_was_left, nano_on_a_terminal, emacs_on_a_terminal, emacs_in_batches,
                  sed_and_perl_in_place, patch_and_ed_scripts)
