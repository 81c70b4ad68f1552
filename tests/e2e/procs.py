# SPDX-License-Identifier: GPL-2.0-or-later
"""What /proc says of a process, and of seepd's children."""

import contextlib
import os
import re
import signal
import time

from waiting import wait_until


def rss_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


# A process, a thread or a descriptor has gone since it was listed. (Of a link in /proc whose process is
# gone the kernel may also say that it must not be read.)
GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


def listed(path):
    """The names in a folder of /proc; none of a process that is gone."""
    with contextlib.suppress(*GONE):
        return os.listdir(path)
    return []


def link_of(path):
    """Where a link of /proc leads; None if it is gone."""
    with contextlib.suppress(*GONE):
        return os.readlink(path)
    return None


def descriptors(pid):
    """How many of each kind a process has open; of one that is gone, none."""
    found = {}
    for fd in listed(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{fd}"
        link = link_of(path)
        if link is None:
            continue
        kind = "folder" if os.path.isdir(path) else re.sub(r":\[\d+\]$", "", link)
        found[kind] = found.get(kind, 0) + 1
    return found


def children_of(pid):
    found = []
    for task in listed(f"/proc/{pid}/task"):
        with contextlib.suppress(*GONE):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                found += [int(p) for p in f.read().split()]
    return found


HELPERS = ("seep-probes", "seep-windows", "seep-prices")


def comm_of(pid):
    """None if it is gone."""
    with contextlib.suppress(*GONE):
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            return f.read().strip()
    return None


def state_of(pid):
    """The letter of its state: R, S, ..."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def age_seconds(pid):
    """Since it was started, by the clock that counts while the machine sleeps."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        started = int(f.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def children_named(pid, name):
    return [c for c in children_of(pid) if comm_of(c) == name]


def child_named(pid, name):
    """The only one. A child that was just forked is still to take its name, and one that died may not
    have been waited for yet."""
    wait_until(lambda: len(children_named(pid, name)) == 1, f"{pid} has one child named {name}")
    return children_named(pid, name)[0]


def child_that_runs(pid, program):
    """The only child that has executed a program of this name."""
    def found():
        of = [c for c in children_of(pid)
              if os.path.basename(link_of(f"/proc/{c}/exe") or "") == program]
        return of if len(of) == 1 else None
    return wait_until(found, f"{pid} has one child that runs {program}")[0]


def kill_if_there(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def symbolizers_of(pid):
    """The children that read ELF files, and who else is disposable; the others have names of their own,
    and until they have taken them that of seepd."""
    return [c for c in children_of(pid) if comm_of(c) not in (None, "seepd", *HELPERS)]
