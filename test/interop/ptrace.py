# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""One thread of a process held as a debugger holds it, while the others run."""

import contextlib
import ctypes
import os

DETACH, SEIZE, INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000
_ptrace = ctypes.CDLL(None, use_errno=True).ptrace
_ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_ptrace.restype = ctypes.c_long


@contextlib.contextmanager
def held(tid):
    """From one thread of the test, which must be the same until the end."""
    if _ptrace(SEIZE, tid, None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    try:
        _ptrace(INTERRUPT, tid, None, None)
        os.waitpid(tid, WALL)
        yield
    finally:
        _ptrace(DETACH, tid, None, None)


def threads(pid):
    """{name: thread id}"""
    found = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as file:
            found[file.read().strip()] = int(tid)
    return found
