#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Names come from wherever they can be found, and a damaged file costs its own names only."""

import contextlib
import os
import random
import shutil
import subprocess
import tempfile

import seep


@contextlib.contextmanager
def copy_of(name):
    """A workload's program in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, name)
        shutil.copy(seep.workload_path(name), path)
        yield folder, path


def sections(path):
    """{name: (offset, size)} by readelf."""
    listing = subprocess.run(["readelf", "-W", "-S", path], capture_output=True, check=True)
    found = {}
    for line in listing.stdout.decode().splitlines():
        fields = line.replace("[ ", "[").split()
        if len(fields) > 6 and fields[0].startswith("[") and fields[1].startswith("."):
            found[fields[1]] = (int(fields[4], 16), int(fields[5], 16))
    return found


def run_and_find(path, *arguments):
    """Runs a copy of callers; returns the truth and {count: first frame} of its own sites."""
    result, report = seep.run_command([path, *arguments])
    seep.equal(result.status, 0, f"{path}: {result}")
    truth = seep.last_json(result.out)
    own = [s for s in report["sites"] if s["frames"][0]["module"] == path]
    return truth, own, report


def check_all_there(truth, own, what):
    """Whatever the names: the blocks are counted."""
    total = sum(f["allocated_count"] for f in truth["functions"].values())
    seep.equal(sum(s["allocated_count"] for s in own), total, f"blocks of {what}")


def check_named(truth, own, lines=True):
    for site in own:
        frame = site["frames"][0]
        assert frame["function"] in truth["functions"], f"first frame {frame}"
        if lines:
            seep.equal(frame["line"], truth["lines"][frame["function"]], "line")
            seep.equal(os.path.basename(frame["file"] or ""), "callers.c", "file")
    check_all_there(truth, own, "named functions")


def test_stripped_of_debug():
    """The symbol table alone: functions, no lines."""
    with copy_of("callers") as (_, path):
        subprocess.run(["strip", "--strip-debug", path], check=True)
        truth, own, _ = run_and_find(path)
        check_named(truth, own, lines=False)
        for site in own:
            seep.equal((site["frames"][0]["file"], site["frames"][0]["line"]), (None, None),
                       "file and line")


def test_stripped():
    """Nothing but the dynamic symbol table: module and offset, marked as approximate at best."""
    with copy_of("callers") as (_, path):
        subprocess.run(["strip", path], check=True)
        truth, own, report = run_and_find(path)
        check_all_there(truth, own, "a stripped program")
        seep.equal(len(own), len(truth["functions"]), "sites stay apart")
        for site in own:
            frame = site["frames"][0]
            assert frame["function"] is None or frame["approximate"], f"first frame {frame}"
            assert frame["offset"] > 0, f"first frame {frame}"
            seep.equal(site["stack_status"], "complete", "unwinding needs no symbols")
        names = {f["function"] for s in own for f in s["frames"] if f["module"] != path}
        assert any(n and "libc_start" in n for n in names), f"names in other files: {names}"
        seep.check_nothing_lost(report["target"])


def test_debuglink():
    """A separate debug file beside the program, by .gnu_debuglink."""
    with copy_of("callers") as (folder, path):
        debug = os.path.join(folder, "callers.debug")
        subprocess.run(["objcopy", "--only-keep-debug", path, debug], check=True)
        subprocess.run(["strip", path], check=True)
        subprocess.run(["objcopy", f"--add-gnu-debuglink={debug}", path], check=True)
        truth, own, _ = run_and_find(path)
        check_named(truth, own)
        # In .debug/ it is found as well; one of another program is not taken.
        os.mkdir(os.path.join(folder, ".debug"))
        os.rename(debug, os.path.join(folder, ".debug", "callers.debug"))
        truth, own, _ = run_and_find(path)
        check_named(truth, own)
        subprocess.run(["objcopy", "--only-keep-debug", seep.workload_path("million"),
                        os.path.join(folder, ".debug", "callers.debug")], check=True)
        truth, own, _ = run_and_find(path)
        check_all_there(truth, own, "a program with a wrong debug file")
        assert all(s["frames"][0]["line"] is None for s in own), "a wrong debug file was taken"


def build_id(path):
    notes = subprocess.run(["readelf", "-n", path], capture_output=True, check=True)
    for line in notes.stdout.decode().splitlines():
        if "Build ID:" in line:
            return line.split()[-1]
    raise AssertionError(f"{path} has no build-id")


def test_debug_file_by_build_id():
    with copy_of("callers") as (_, path):
        identity = build_id(path)
        place = f"/usr/lib/debug/.build-id/{identity[:2]}"
        file = f"{place}/{identity[2:]}.debug"
        if os.path.exists(file):
            raise seep.Skip(f"{file} is there already")
        made = not os.path.isdir(place)
        os.makedirs(place, exist_ok=True)
        try:
            subprocess.run(["objcopy", "--only-keep-debug", path, file], check=True)
            subprocess.run(["strip", path], check=True)
            truth, own, _ = run_and_find(path)
            check_named(truth, own)
        finally:
            os.unlink(file)
            if made:
                os.removedirs(place)


def test_deleted():
    """The program's file is gone by the time that names are looked for."""
    with seep.Daemon() as daemon, copy_of("callers") as (_, path):
        with seep.Workload("callers", path=path) as workload:
            key = daemon.track(workload.pid)
            os.unlink(path)
            truth = workload.go()
            functions = truth["functions"]
            seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), functions),
                            functions, "figures")
            for site in daemon.sites(key, by="line", include="caller_*"):
                frame = site["frames"][0]
                seep.equal(frame["line"], truth["lines"][frame["function"]], "line")
            workload.end()


def test_deleted_before_attach():
    with seep.Daemon() as daemon, copy_of("callers") as (_, path):
        with seep.Workload("callers", path=path) as workload:
            os.unlink(path)
            key = daemon.track(workload.pid)
            functions = workload.go()["functions"]
            seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), functions),
                            functions, "figures")
            workload.end()


def test_replaced():
    """Another program has the path by now: names are those of the file that is mapped."""
    with seep.Daemon() as daemon, copy_of("callers") as (folder, path):
        with seep.Workload("callers", path=path) as workload:
            other = os.path.join(folder, "other")
            shutil.copy(seep.workload_path("million"), other)
            os.rename(other, path)
            key = daemon.track(workload.pid)
            functions = workload.go()["functions"]
            seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), functions),
                            functions, "figures")
            workload.end()


def test_mount_namespace():
    """The program is at a path that leads elsewhere, or nowhere, outside of its namespace."""
    with seep.Daemon() as daemon, copy_of("callers") as (folder, path):
        cover = os.path.join(folder, "cover")
        os.mkdir(cover)
        os.mkdir(os.path.join(folder, "real"))
        os.rename(path, os.path.join(folder, "real", "callers"))
        # Outside, the path is another program; inside, the real one is mounted over it.
        shutil.copy(seep.workload_path("million"), os.path.join(cover, "callers"))
        script = (f"mount --bind {folder}/real {cover} && "
                  f"exec {cover}/callers --wait --hold")
        with seep.Workload("callers", "-m", "sh", "-c", script, path="unshare",
                           wait=False) as workload:
            seep.equal(workload.read_line(), "ready", "it is ready")
            key = daemon.track(workload.pid)
            truth = workload.go()
            functions = truth["functions"]
            seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), functions),
                            functions, "figures")
            for site in daemon.sites(key, by="line", include="caller_*"):
                frame = site["frames"][0]
                seep.equal((frame["module"], frame["line"]),
                           (f"{cover}/callers", truth["lines"][frame["function"]]),
                           "module and line")
            workload.end()


def test_root():
    """A program that lives in another root directory, with libraries of its own there."""
    with seep.Daemon() as daemon, copy_of("callers") as (folder, path):
        listing = subprocess.run(["ldd", path], capture_output=True, check=True).stdout.decode()
        files = [w for w in listing.split() if w.startswith("/")]
        for file in files:
            place = folder + os.path.dirname(file)
            os.makedirs(place, exist_ok=True)
            shutil.copy(os.path.realpath(file), folder + file)
        with seep.Workload("callers", folder, "/callers", "--wait", "--hold", path="chroot",
                           wait=False) as workload:
            seep.equal(workload.read_line(), "ready", "it is ready")
            key = daemon.track(workload.pid)
            truth = workload.go()
            functions = truth["functions"]
            seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), functions),
                            functions, "figures")
            seep.equal(seep.losses(daemon.target(key)), {}, "losses")
            workload.end()


def damage(path, names, seed):
    chance = random.Random(seed)
    with open(path, "r+b") as f:
        for name, (offset, size) in sections(path).items():
            if name in names:
                f.seek(offset)
                f.write(chance.randbytes(size))


def test_damaged_symbols():
    """Noise where symbols and debug information were: it runs, it is counted, it has no names."""
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}")
    everything = [".symtab", ".strtab", ".debug_info", ".debug_abbrev", ".debug_line",
                  ".debug_str", ".debug_line_str", ".debug_aranges", ".debug_rnglists",
                  ".debug_loclists"]
    for names in (everything, [".debug_info"], [".debug_abbrev"], [".debug_line"], [".symtab"],
                  [".strtab"], [".eh_frame_hdr"]):
        with copy_of("callers") as (_, path):
            damage(path, names, seed)
            truth, own, report = run_and_find(path)
            check_all_there(truth, own, f"a program with noise in {names}")
            libc = {f["function"] for s in report["sites"] for f in s["frames"]
                    if (f["module"] or "").endswith("/libc.so.6")}
            # Without the table's index a walk may end in the first frame.
            assert names == [".eh_frame_hdr"] or any(n and "libc_start" in n for n in libc), \
                f"names in libc: {libc}"
            if names in ([".debug_info"], [".debug_abbrev"]):
                check_named(truth, own, lines=False)


def test_damaged_unwind_tables():
    """Noise in .eh_frame: stacks may end early, but the immediate caller and all counts are right."""
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}")
    with copy_of("callers") as (_, path):
        damage(path, [".eh_frame", ".eh_frame_hdr"], seed)
        truth, own, _ = run_and_find(path)
        check_named(truth, own)


def test_damaged_headers():
    """A section table that points anywhere; what is needed to run is left alone."""
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}")
    chance = random.Random(seed)
    for _ in range(5):
        with copy_of("callers") as (_, path):
            with open(path, "r+b") as f:
                header = f.read(64)
                start = int.from_bytes(header[40:48], "little")
                count = int.from_bytes(header[60:62], "little")
                f.seek(start)
                f.write(chance.randbytes(64 * count))
            truth, own, _ = run_and_find(path)
            check_all_there(truth, own, "a program with noise in its section table")


def test_damaged_daemon_stays():
    """The daemon meets damaged files, then a whole one: it has names for that one."""
    with seep.Daemon() as daemon:
        for seed in (2, 3, 5):
            with copy_of("callers") as (_, path):
                damage(path, [".symtab", ".strtab", ".debug_info", ".debug_line", ".eh_frame"],
                       seed)
                with seep.Workload("callers", path=path) as workload:
                    key = daemon.track(workload.pid)
                    functions = workload.go()["functions"]
                    total = sum(f["allocated_count"] for f in functions.values())
                    seep.wait_equal(lambda: daemon.target(key)["coverage"]["allocations_seen"],
                                    total, "blocks")
                    daemon.sites(key)
                    workload.end()
        with seep.Workload("callers") as workload:
            key = daemon.track(workload.pid)
            functions = workload.go()["functions"]
            seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), functions),
                            functions, "figures of a whole program")
            workload.end()


if __name__ == "__main__":
    seep.main(globals())
