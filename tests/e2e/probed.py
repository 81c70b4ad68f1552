# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the code of a process is not as in its files."""

import contextlib
import os
import select

from waiting import wait_equal


class Moved(Exception):
    """What a process has mapped has changed while it was read."""


def executable_mappings(pid):
    """(start, end, offset, path) of the mappings of files, as the kernel lists them."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
        for line in f:
            fields = line.split(maxsplit=5)
            if len(fields) < 6 or "x" not in fields[1] or not fields[5].startswith("/"):
                continue
            start, end = (int(x, 16) for x in fields[0].split("-"))
            found.append((start, end, int(fields[2], 16), fields[5].strip()))
    return found


def changed_bytes(pid):
    """Where the code in a process's memory differs from its files: breakpoints, if there are any."""
    for _ in range(100):
        with contextlib.suppress(Moved):
            return read_changed_bytes(pid)
        select.select([], [], [], 0.02)
    raise AssertionError(f"mappings of {pid} do not stand still")


def read_range(pid, memory, start, end, offset):
    """(what the file has, what the memory has)"""
    try:
        with open(f"/proc/{pid}/map_files/{start:x}-{end:x}", "rb") as f:
            f.seek(offset)
            expected = f.read(end - start)
        memory.seek(start)
        got = memory.read(len(expected))
    except OSError as error:  # such as by an exec
        os.stat(f"/proc/{pid}")
        raise Moved from error
    if len(got) < len(expected):
        raise Moved
    return expected, got


def read_changed_bytes(pid):
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, offset, path in executable_mappings(pid):
            expected, got = read_range(pid, memory, start, end, offset)
            if got == expected:
                continue
            found += [f"{path}+{offset + i:#x}: {got[i]:#x}" for i in range(len(expected))
                      if got[i] != expected[i]]
    return found


def probes_on_libc(pid):
    """Those of the allocator; the dynamic linker keeps its one."""
    return [c for c in changed_bytes(pid) if "/libc" in c]


def check_no_breakpoints(pid):
    wait_equal(lambda: changed_bytes(pid), [], f"code of {pid} is as in its files")
