# SPDX-License-Identifier: Apache-2.0
"""A process that has imported all there is to import and never seen a function, and forks itself into sandboxes.

Each order on descriptor 3 is a packet with descriptors: the namespaces of a sandbox in which nothing but init runs, the pipes
that the new process is to have, a socket to tell the guardian, and the filter of system calls. The first
child joins the sandbox; its child is inside, for a process is born into its namespace of processes, gives up every
privilege that joining took, as bubblewrap would have, and goes on as a shim that waits for FRAME_INIT. Neither runs
anything of a user's before that."""
# In this order: what the code may bring of its own is what is imported after the shim's (ahead.forget).
from .main import DEFAULTS
from . import ahead

import _socket
import ctypes
import gc
import os
import resource
import struct
import sys

CONTROL = 3
ORDER = struct.Struct("<i")  # the most processes; 0: the control group counts
NAMES = ("owner", "user", "pid", "net", "ipc", "uts", "cgroup", "mnt", "input", "output", "printed", "status", "filter")

NEW_USER = 0x10000000
SET_DUMPABLE, SET_SECCOMP, CAPBSET_DROP, NO_NEW_PRIVS, CAP_AMBIENT = 4, 22, 24, 38, 47
AMBIENT_CLEAR_ALL, FILTER_MODE = 4, 2
CAPABILITY_VERSION = 0x20080522
FUNCTION = 1003

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), what)


def serve(sample, shim):
    """Returns in each process that was forked into a sandbox."""
    ahead.rehearse(sample, DEFAULTS)
    rename(shim)
    control = _socket.socket(fileno=CONTROL)
    room = _socket.CMSG_SPACE(len(NAMES) * 4)
    gc.collect()
    gc.freeze()
    while True:
        data, ancillary, _, _ = control.recvmsg(ORDER.size, room)
        if not data:
            os._exit(0)
        fds = dict(zip(NAMES, struct.unpack(f"{len(NAMES)}i", ancillary[0][2])))
        child = os.fork()
        if child == 0:
            control.detach()
            enter(fds, ORDER.unpack(data)[0])
            return
        for fd in fds.values():
            os.close(fd)
        os.waitpid(child, 0)


def rename(shim):
    """The command line is the shim's, as far as there is room: that of the host's file is nobody's business inside."""
    sys.argv = [shim]
    sys.orig_argv[-1] = shim
    sys.modules["__main__"].__file__ = shim
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    line = b"".join(os.fsencode(word) + b"\0" for word in sys.orig_argv)[: end - start - 1]
    ctypes.memmove(start, line.ljust(end - start, b"\0"), end - start)


def enter(fds, processes):
    """Only in the process that is inside does this return."""
    try:
        join(fds)
        if os.fork():
            os._exit(0)
        settle(fds, processes)
    except BaseException as error:
        os.write(fds["status"], f"entering a sandbox: {error!r}".encode())
        os._exit(127)


def join(fds):
    if os.geteuid() == 0:
        os.setgroups([])
    # The namespace that owns the others, in which we are privileged then; that of the program last.
    check(libc.setns(fds["owner"], NEW_USER), "owner")
    for name in ("pid", "net", "ipc", "uts", "cgroup", "mnt"):
        check(libc.setns(fds[name], 0), name)
    check(libc.setns(fds["user"], NEW_USER), "user")
    os.setresgid(FUNCTION, FUNCTION, FUNCTION)
    os.setresuid(FUNCTION, FUNCTION, FUNCTION)


def settle(fds, processes):
    os.setsid()
    os.chdir("/opt/function")
    if processes:
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
    renounce()
    filter_calls(fds["filter"])
    high = [os.dup2(fds[name], 64 + i) for i, name in enumerate(("input", "output", "printed", "status"))]
    for fd, place in (high[0], 3), (high[1], 4), (high[2], 1), (high[2], 2):
        os.dup2(fd, place)
    os.write(high[3], b"\1b%d" % os.getpid())
    os.closerange(5, 64 + len(high))
    for name in ("_ctypes", "ctypes", "ctypes._endian", "resource", "_socket", __name__):
        sys.modules.pop(name, None)


def renounce():
    """As bubblewrap's `--cap-drop ALL`: of what we may, of what we might become, of what we hand on."""
    capability = 0
    while libc.prctl(CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    if capability < 38:
        raise OSError(ctypes.get_errno(), "giving up privileges")
    check(libc.prctl(CAP_AMBIENT, AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient")
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    check(libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    check(libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    # The change of identity had closed /proc/self to ourselves.
    check(libc.prctl(SET_DUMPABLE, 1, 0, 0, 0), "dumpable")


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def filter_calls(fd):
    code = os.pread(fd, 1 << 20, 0)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = Program(len(code) // 8, ctypes.addressof(buffer))
    check(libc.prctl(SET_SECCOMP, FILTER_MODE, ctypes.byref(program), 0, 0), "seccomp")
