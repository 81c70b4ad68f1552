# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside of gdb, attached to a process: writes the stacks of its allocations.

One line for each, "MODULE OFFSET;MODULE OFFSET;...", innermost first, beginning with the caller of
the allocator. CHAINS_FILE says where to, CHAINS how many.
"""

import bisect
import os
import subprocess

import gdb

CALLED = ("malloc", "calloc", "realloc", "posix_memalign")
ALLOCATOR = CALLED + ("aligned_alloc", "memalign")
BETWEEN = 101  # calls between two that are looked at
FRAMES = 127


def read_maps(pid):
    """[(start, end, offset, path)] of what is executable, ascending."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
        for line in f:
            fields = line.split(maxsplit=5)
            if "x" not in fields[1] or len(fields) < 6:
                continue
            start, end = (int(x, 16) for x in fields[0].split("-"))
            found.append((start, end, int(fields[2], 16), fields[5].strip()))
    return found


def place(maps, address):
    at = bisect.bisect(maps, (address, 1 << 64)) - 1
    if at >= 0 and maps[at][0] <= address < maps[at][1]:
        start, _, offset, path = maps[at]
        return path, address - start + offset
    return "?", address


def file_address(path):
    """Where in a file the functions are."""
    segments = []
    for line in subprocess.run(["readelf", "-lW", path], capture_output=True, text=True,
                               check=True).stdout.splitlines():
        fields = line.split()
        if fields[:1] == ["LOAD"]:
            segments.append([int(x, 16) for x in (fields[1], fields[2], fields[4])])
    found = []
    for line in subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True,
                               text=True, check=True).stdout.splitlines():
        address, _, name = line.split(maxsplit=2)
        address = int(address, 16)
        if name.split("@")[0] in CALLED:
            found += [address - vaddr + offset for offset, vaddr, size in segments
                      if vaddr <= address < vaddr + size]
    return found


def find_allocators(maps):
    """Addresses of the allocator's functions that the process uses."""
    files = {}
    for start, end, offset, path in maps:
        if path.startswith("/") and "/ld-" not in path:
            files.setdefault(path, []).append((start, end, offset))
    found = {}
    for path, ranges in files.items():
        places = [start + at - offset for at in file_address(path) for start, end, offset in ranges
                  if offset <= at < offset + end - start]
        if places:
            found[path] = sorted(set(places))
    # A library for the purpose comes before the C library.
    return found[min(found, key=lambda path: "/libc.so" in path)]


def chain(maps):
    """The caller of the outermost of the allocator's functions, its caller and so on."""
    frames = []
    frame = gdb.newest_frame()
    while frame is not None and len(frames) < FRAMES + 7:
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            frames.append((place(maps, frame.pc()), frame.function()))
        frame = frame.older()
    allocator = frames[0][0][0]
    inside = 1
    # They call one another only inside of their own file.
    while inside < 4 and frames[inside][0][0] == allocator and is_allocator(frames[inside][1]):
        inside += 1
    return [where for where, _ in frames[inside:inside + FRAMES]]


def is_allocator(function):
    name = function.name if function else ""
    return any(name.endswith(called) for called in ALLOCATOR) or "memalign" in name


def after_probe(address):
    """An instruction a little further on: where anybody's uprobe is, in whatever process, the
    kernel takes gdb's breakpoint for a leftover of that and removes it."""
    architecture = gdb.selected_inferior().architecture()
    first, second, third = architecture.disassemble(address, count=3)
    if any(i["asm"].startswith(("j", "call", "ret")) for i in (first, second)):
        return address
    return third["addr"]


def main():
    for setting in ("pagination off", "confirm off", "backtrace past-main on",
                    "backtrace past-entry on", "backtrace limit unlimited"):
        gdb.execute(f"set {setting}")
    gdb.execute("handle all nostop noprint pass")
    maps = read_maps(gdb.selected_inferior().pid)
    points = [gdb.Breakpoint(f"*{after_probe(address):#x}") for address in find_allocators(maps)]
    output = open(os.environ["CHAINS_FILE"], "w", encoding="ascii", buffering=1)
    for _ in range(int(os.environ["CHAINS"])):
        for point in points:
            point.ignore_count = BETWEEN
        gdb.execute("continue", to_string=True)
        output.write(";".join(f"{path} {offset}" for path, offset in chain(maps)) + "\n")
    for point in points:
        point.delete()
    gdb.execute("detach")


main()
