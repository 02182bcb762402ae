#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trees are copied in and out. A user would lose times, modes, links and holes, and every next rsync
would copy everything again."""
import os

import workshop
from workshop import need


def source(place):
    """A tree on the local disk with something of everything; its times are old and exact."""
    root = workshop.Place(place.home / "source", place.home)
    for number in range(60):
        root.write(f"d{number % 5}/e{number % 3}/file{number}", os.urandom(1) * (number * 997))
    root.write("empty", "")
    root.write("read only", "text\n", 0o444)
    root.write("program", "#!/bin/sh\nexit 3\n", 0o755)
    root.write("set-id", "#!/bin/sh\n", 0o6755)
    root.write("closed/file", "text\n", 0o600)
    root.write("ünïcødé \\ * ? \"", "text\n")
    root.write("n" * 255, "text\n")
    root.run("truncate", "-s", "3M", "sparse")
    root.shell("printf end >> sparse; ln program other-name; ln -s d0/e0/file0 link;"
               "ln -s nowhere dangling; mkfifo fifo; mkdir void; chmod 500 closed; chmod 1777 void;"
               "ln -s . loop")
    for number, path in enumerate(sorted(root.directory.rglob("*"), reverse=True)):
        if not path.is_symlink() or os.utime in os.supports_follow_symlinks:
            os.utime(path, ns=(10**18 + number * 7, 10**18 + number * 1234567891),
                     follow_symlinks=False)
    return root.directory


def same_source(place, shared={}):
    """The same tree for both places."""
    base = place.home.parent
    if base not in shared:
        shared[base] = source(place)
    return shared[base]


def cp_archive(place):
    "cp -a in, within, out and back."
    tree = same_source(place)
    place.run("cp", "-a", f"{tree}/.", "one", silent=True)
    place.run("cp", "-a", "one", "two")
    place.run("cp", "-a", "two", place.home / "out")
    place.run("cp", "-a", place.home / "out", "three")
    place.run("cp", "-al", "one", "linked")
    place.run("diff", "-r", "--no-dereference", "one", "three", status=None)
    place.times = True


def cp_sparse(place):
    "Holes are kept, made, and filled."
    place.run("truncate", "-s", "20M", "a")
    place.shell("printf middle | dd of=a bs=1 seek=9000000 conv=notrunc status=none")
    for way in "auto", "always", "never":
        place.run("cp", f"--sparse={way}", "a", way)
        place.run("cmp", "a", way)
    filled = place.path("never").stat().st_blocks
    assert filled * 512 >= 20 << 20, "the disk does not count what is filled"
    assert place.path("auto").stat().st_blocks < filled / 10, "cp lost the holes"
    assert place.path("always").stat().st_blocks < filled / 10, "cp made no holes"


def tar_in_and_out(place):
    "tar x restores everything; tar c of it is the same archive, byte by byte."
    need("tar")
    tree = same_source(place)
    options = ["--sort=name", "--numeric-owner", "--format=posix",
               "--pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f"]
    place.run("tar", *options, "-C", tree, "-cf", place.home / "a.tar", ".")
    place.run("mkdir", "x")
    place.run("tar", "-xpf", place.home / "a.tar", "-C", "x")
    place.run("tar", *options, "-C", "x", "-cf", place.home / "b.tar", ".")
    place.run("cmp", place.home / "a.tar", place.home / "b.tar", silent=True)
    place.run("tar", "-C", "x", "-df", place.home / "a.tar")
    place.run("tar", "-C", "x", "-Scf", "sparse.tar", "sparse", silent=True)
    place.run("tar", "-xSf", "sparse.tar", silent=True)
    place.run("tar", "-C", "x", "-czf", "packed.tar.gz", "d0", silent=True)
    place.run("tar", "-xzf", "packed.tar.gz")
    place.times = True
    place.left_out = ("sparse.tar", "packed.tar.gz")


def rsync_delete(place):
    "rsync -a --delete: the second run finds nothing to do, the third only what changed."
    need("rsync")
    tree = place.home / "tree"
    place.run("cp", "-a", same_source(place), tree)
    place.run("rsync", "-aH", "--delete", f"{tree}/", "copy/")
    assert place.run("rsync", "-aHi", "--delete", f"{tree}/", "copy/") == ""
    assert place.run("rsync", "-aHic", "--delete", f"{tree}/", "copy/") == ""
    (tree / "d1/e1/file1").write_text("changed\n")
    (tree / "d2").rename(tree / "moved")
    (tree / "empty").unlink()
    place.run("touch", "-d", "2020-02-02 02:02:02.020202020", tree / "d1/e1/file1")
    place.run("rsync", "-aHi", "--delete", f"{tree}/", "copy/", silent=True)
    assert place.run("rsync", "-aHi", "--delete", f"{tree}/", "copy/") == ""
    place.run("rsync", "-aH", "--inplace", "--no-whole-file", f"{tree}/", "copy/")
    place.run("rsync", "-aHS", "--delete", "copy/", "within/")
    place.run("rsync", "-aH", "--link-dest=../copy", "copy/", "cheap/")
    place.times = True


def moving(place):
    "mv within, in, out; and over what is there."
    tree = same_source(place)
    place.run("cp", "-a", tree, "one")
    place.run("mv", "one", "two")
    place.run("mv", "two/d0", "two/d1/d0")
    place.run("mv", "two", place.home / "away")
    place.run("mv", place.home / "away", "back")
    place.run("mv", "-n", "back/empty", "back/program")
    place.run("mv", "-f", "back/read only", "back/empty")
    place.run("mv", "-T", "back/d3", "back/void", status=None)
    place.run("mv", "-b", "back/empty", "back/program")
    place.times = True


def finding_and_removing(place):
    "find in its ways, xargs in parallel, and -delete."
    tree = same_source(place)
    place.run("cp", "-a", tree, "t")
    for words in ("t -type f -size +20k", "t -newermt 2001-09-10", "t -samefile t/program", "t -empty",
                  "t -perm -4000", "t -links +1 -type f", "-L t -maxdepth 1 -type d"):
        place.run("find", *words.split(), sorts=True, status=None)
    place.run("du", "-s", "--apparent-size", "-B1", "t/d0/e0/file0", "t/d0/e0/file15")
    place.shell("find t -name 'file*' -print0 | xargs -0 -P4 -n3 touch -d '2010-01-01 UTC'")
    place.shell("chmod -R u+w t; chmod -R go-rwx t/d1; find t/d2 -type f -exec chmod 640 {} +")
    place.run("find", "t/d0", "-delete")
    place.run("find", "t", "-name", "file1*", "-type", "f", "-delete")
    place.run("find", "t", "-depth", "-type", "d", "-empty", "-delete")


def busybox_tools(place):
    "The same with busybox, which does it its own way."
    need("busybox")
    tree = same_source(place)
    place.run("busybox", "cp", "-a", tree, "t")
    place.shell("busybox tar -c -C t . | (mkdir x; busybox tar -x -C x)", silent=True)
    place.shell("busybox sed -i s/text/TEXT/ 't/read only'; busybox find x -name 'file2*' -exec rm {} +")
    place.shell("busybox mv t/d1 moved; busybox ln -s moved l; busybox rm -r x/d4; busybox du -s x/d0 >&2",
                silent=True)
    place.left_out = ("x/closed", "x/void")


def dd_and_friends(place):
    "dd with its flags, split, head and tail, install, gzip, cmp."
    need("gzip")
    place.shell("seq 1 20000 > a")
    place.run("dd", "if=a", "of=b", "bs=3000", "conv=fsync", "status=none")
    place.run("dd", "if=a", "of=b", "bs=777", "seek=3", "count=5", "conv=notrunc,fdatasync",
              "status=none")
    place.run("dd", "if=a", "of=c", "bs=64k", "oflag=append", "conv=notrunc", "status=none")
    place.run("dd", "if=a", "of=d", "bs=4k", "oflag=direct", "iflag=fullblock", "count=8",
              "status=none")
    place.run("dd", "if=a", "of=e", "bs=1k", "seek=100", "count=1", "oflag=sync", "status=none")
    place.run("dd", "if=/dev/zero", "of=f", "bs=1M", "count=3", "conv=sparse", "status=none")
    place.run("split", "-b", "10000", "a", "part.")
    place.shell("cat part.* | cmp - a; head -c 100 a >> c; tail -n 5 a >> c; tee g h < a > /dev/null")
    place.run("install", "-D", "-m", "751", "a", "deep/er/a")
    place.run("touch", "-d", "2001-02-03 04:05:06.789", "h")
    place.run("gzip", "-k", "h")
    place.run("gunzip", "-f", "h.gz")
    place.run("stat", "-c", "%y", "h")
    place.run("cp", "-u", "--preserve=timestamps", "h", "i")
    place.run("shred", "-u", "g")
    place.run("fallocate", "-l", "100000", "j")
    place.run("fallocate", "-d", "j")
    place.run("sync", "a", "b")


if __name__ == "__main__":
    workshop.main(cp_archive, cp_sparse, tar_in_and_out, rsync_delete, moving, finding_and_removing,
                  busybox_tools, dd_and_friends)
