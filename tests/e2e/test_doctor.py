#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What doctor tells of probe places: the C library's, and those of any file."""

import os
import platform
import subprocess
import tempfile

import seep

LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
MUSL = "/lib/ld-musl-x86_64.so.1"

# Which functions of Debian 12's C libraries call others: sampled calls of those are priced higher.
CALLS = {
    LIBC: {"malloc": False, "calloc": False, "free": False, "realloc": True,
           "reallocarray": True},
    MUSL: {"malloc": False, "calloc": True, "free": False, "realloc": False,
           "reallocarray": True},
}
MEMBERS = {"file": str, "build_id": str, "function": str, "site": str, "offset": int,
           "distance": int, "instruction": str, "emulated": bool, "calls_hooks": bool}


def emulated(code):
    """Whether the kernel emulates the instruction: see arch/x86/kernel/uprobes.c."""
    first, second = code[0], code[1]
    return (0x50 <= first <= 0x57 or first in (0x90, 0xeb, 0xe8, 0xe9) or 0x70 <= first <= 0x7f
            or (first == 0x41 and 0x50 <= second <= 0x57)
            or (first == 0x0f and 0x80 <= second <= 0x8f))


def check_places(places, path):
    """What is said agrees with the bytes of the file."""
    with open(path, "rb") as f:
        data = f.read()
    for place in places:
        seep.equal({k: type(v) for k, v in place.items()}, MEMBERS, f"members of {place}")
        seep.equal(place["site"], f"{place['function']}+{place['distance']:#x}", "its site")
        assert 0 <= place["distance"] <= 32, f"distance of {place}"
        at = place["offset"] + place["distance"]
        seep.equal(place["emulated"], emulated(data[at:at + 6]), f"emulation at {at:#x}: {place}")
    # Each function once: a symbol may stand in a table under several versions.
    found = [(p["function"], p["offset"]) for p in places]
    seep.equal(len(found), len(set(found)), f"no place twice: {found}")


def places_of(path):
    result = seep.seepctl("doctor", "-j", "--file", path)
    seep.equal((result.status, result.err), (0, ""), f"doctor --file {path}: {result}")
    seep.equal(list(result.json), ["places"], "nothing else is looked at")
    return result.json["places"]


def check_known(path):
    if not os.path.exists(path):
        raise seep.Skip(f"{path} is not there")
    places = places_of(path)
    check_places(places, path)
    found = {p["function"]: p["calls_hooks"] for p in places}
    if path == MUSL or platform.libc_ver()[1] == "2.36":
        seep.equal(seep.only(found, CALLS[path]), CALLS[path], f"who calls whom in {path}")
    return places


def test_c_library():
    """Without a file, that of the machine's own programs."""
    result = seep.seepctl("doctor", "-j")
    seep.equal(result.status, 0, f"{result}")
    places = result.json["places"]
    assert {"malloc", "free"} <= {p["function"] for p in places}, f"places: {places}"
    path = places[0]["file"]
    check_places(places, path)
    with open("/proc/self/maps", encoding="ascii") as f:
        mapped = {line.split(maxsplit=5)[5].strip() for line in f if len(line.split()) > 5}
    assert path in mapped, f"{path} is what programs here map"
    seep.equal([dict(p, file=path) for p in places_of(path)], places, "the same by name")


def test_table():
    """For people: a line per function, and for scripts without the words around it."""
    places = seep.seepctl("doctor", "-j").json["places"]
    result = seep.seepctl("doctor")
    seep.equal((result.status, result.err), (0, ""), f"{result}")
    heading, *table = result.out.split("\n\n")[1].splitlines()
    assert places[0]["file"] in heading, f"the file is named: {heading}"
    seep.equal(table[0].split()[:3], ["SITE", "OFFSET", "HIT"], "columns")
    expected = [[p["site"], f"{p['offset']:#x}",
                 "emulated" if p["emulated"] else "single-stepped",
                 "yes" if p["calls_hooks"] else "no", *p["instruction"].split()]
                for p in places]
    seep.equal([line.split() for line in table[1:]], expected, "the table says what JSON does")
    bare = seep.seepctl("doctor", "--no-legend", "--file", places[0]["file"])
    seep.equal([line.split() for line in bare.out.splitlines()], expected, "without legend")


def test_glibc():
    check_known(LIBC)


def test_musl():
    places = check_known(MUSL)
    assert any(p["instruction"].startswith("jmp") for p in places), f"its malloc jumps: {places}"


def test_other_files():
    """A program without an allocator, what is no ELF file, what is no file."""
    seep.equal(seep.seepctl("doctor", "-j", "--file", "/bin/true").json, {"places": []}, "none")
    result = seep.seepctl("doctor", "--file", "/bin/true")
    seep.equal((result.status, result.out), (0, ""), f"{result}")
    assert "/bin/true" in result.err, f"it says so: {result}"
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        fifo = os.path.join(folder, "fifo")
        os.mkfifo(fifo)
        cut = os.path.join(folder, "cut")
        with open(LIBC, "rb") as f, open(cut, "wb") as out:
            out.write(f.read(4099))
        for path in ("/nowhere", folder, fifo, "/etc/passwd", "/dev/null"):
            result = seep.seepctl("doctor", "--file", path)
            seep.equal((result.status, result.out), (1, ""), f"{path}: {result}")
            assert path in result.err, f"it names {path}: {result}"
        # Its headers lead nowhere: it has no functions, or is refused; nothing worse.
        assert seep.seepctl("doctor", "--file", cut).status in (0, 1)
        # A name with what steers a terminal in it.
        odd = os.path.join(folder, "li\033[31mb\udcff")
        os.symlink(LIBC, odd)
        result = seep.seepctl("doctor", "--file", odd)
        seep.equal(result.status, 0, f"{result}")
        assert "\033" not in result.out and "malloc+0x" in result.out, f"{result.out!r}"
        assert places_of(odd), "as JSON, too"


def test_wrong_arguments():
    for arguments in (["--file"], ["--file", ""], ["surplus"], [LIBC]):
        result = seep.seepctl("doctor", *arguments)
        seep.equal((result.status, result.out), (2, ""), f"doctor {arguments}: {result}")


def test_without_root():
    """Files are read without any privilege, so places can be told without."""
    def nobody():
        seep.die_with_parent()
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    if os.geteuid() != 0:
        raise seep.Skip("needs root to become nobody")
    if subprocess.run(["test", "-x", seep.SEEPCTL], check=False, preexec_fn=nobody).returncode:
        raise seep.Skip(f"nobody cannot execute {seep.SEEPCTL}")
    result = seep.seepctl("doctor", "-j", "--file", LIBC, preexec_fn=nobody, cwd="/")
    seep.equal((result.status, result.err), (0, ""), f"{result}")
    seep.equal(result.json["places"], places_of(LIBC), "the same as for root")


if __name__ == "__main__":
    seep.main(globals(), requires=(LIBC,))
