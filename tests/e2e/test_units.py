#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of systemd/: that they are understood, as tight as is claimed, and complete."""

import os
import re
import shutil
import subprocess
import tempfile

import seep

FOLDER = os.path.join(seep.ROOT, "systemd")
UNITS = ("seepd.service", "seepd.socket", "seepd-http.socket")
TARGETS = ("sysinit", "basic", "sockets", "multi-user", "shutdown", "network")
# Exposure as systemd-analyze counts it, in tenths: 0 is none, 100 all.
SHIPPED_MAX, STRICT_MAX = 20, 16
NOT_WRITTEN = ("ALERT_SUSPECTED", "ALERT_CLEARED")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def need(program):
    if not shutil.which(program):
        raise seep.Skip(f"there is no {program}")


def read(*path):
    with open(os.path.join(seep.ROOT, *path), encoding="utf-8") as f:
        return f.read()


class Root:
    """A folder as the root of a system with nothing but seep installed."""

    def __init__(self, *drop_ins):
        self.folder = tempfile.TemporaryDirectory(prefix="seep-e2e-")
        self.path = self.folder.name
        for unit in UNITS:
            self.add(os.path.join(FOLDER, unit), "etc/systemd/system")
        for drop_in in drop_ins:
            self.add(os.path.join(FOLDER, drop_in), "etc/systemd/system/seepd.service.d")
        for target in TARGETS:
            path = os.path.join(self.path, "etc/systemd/system", f"{target}.target")
            with open(path, "w", encoding="ascii") as f:
                f.write("[Unit]\n")
        self.add("/bin/true", "usr/sbin", "seepd")
        self.add("/bin/true", "bin", "kill")
        self.add(os.path.join(FOLDER, "seep.catalog"), "usr/lib/systemd/catalog")
        os.makedirs(os.path.join(self.path, "var/lib/systemd/catalog"))

    def add(self, source, folder, name=None):
        folder = os.path.join(self.path, folder)
        os.makedirs(folder, exist_ok=True)
        shutil.copy(source, os.path.join(folder, name or os.path.basename(source)))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.folder.cleanup()


def exposure(*drop_ins):
    need("systemd-analyze")
    with Root(*drop_ins) as root:
        result = run("systemd-analyze", "security", "--offline=true", "--no-pager",
                     f"--root={root.path}", "seepd.service")
        found = re.search(r"exposure level for seepd.service: ([0-9.]+)", result.stdout)
        assert found, f"an exposure: {result.stdout[-300:]} {result.stderr}"
        print(f"# {drop_ins or 'as shipped'}: {found[1]}")
        return round(float(found[1]) * 10)


def test_exposure():
    found = exposure()
    assert found <= SHIPPED_MAX, f"exposure {found / 10}"


def test_exposure_strict():
    found = exposure("strict.conf")
    assert found <= STRICT_MAX, f"exposure {found / 10}"


def test_units_are_understood():
    """An unknown key or a bad value is a warning."""
    need("systemd-analyze")
    for drop_ins in ((), ("strict.conf",), ("command.conf",), ("strict.conf", "command.conf")):
        with Root(*drop_ins) as root:
            result = run("systemd-analyze", "verify", "--man=no", f"--root={root.path}", *UNITS)
            complaints = [line for line in result.stderr.splitlines()
                          if re.search(r"seepd|strict\.conf|command\.conf", line)]
            seep.equal(complaints, [], f"complaints with {drop_ins}")


def message_ids():
    ids = dict(re.findall(r'\[(ALERT_\w+)\] = "([0-9a-f]{32})"', read("src/alert/journal.c")))
    assert len(ids) >= 11, ids
    return ids


def test_catalog_has_a_text_for_each_entry():
    need("journalctl")
    with Root() as root:
        result = run("journalctl", f"--root={root.path}", "--update-catalog")
        seep.equal((result.returncode, result.stderr), (0, ""), "journalctl takes the catalog")
        listed = run("journalctl", f"--root={root.path}", "--list-catalog").stdout
        found = {line.split()[0] for line in listed.splitlines()}
        expected = {i for name, i in message_ids().items() if name not in NOT_WRITTEN}
        seep.equal(found, expected, "ids in the catalog")
        for i in expected:
            text = run("journalctl", f"--root={root.path}", "--dump-catalog", i).stdout
            assert "seepctl " in text, f"{i} says what to do next: {text}"


def test_catalog_names_fields_that_are_written():
    fields = set(re.findall(r"@([A-Z_]+)@", read("systemd/seep.catalog")))
    written = set(re.findall(r'"(SEEP_[A-Z_]+)', read("src/alert/journal.c")))
    seep.equal(fields - written, set(), "fields of the catalog that no entry has")


def test_commands_of_the_catalog_exist():
    """Every command that people are told to run has such a verb and such options."""
    for verb, rest in set(re.findall(r"^    seepctl (\w+)(.*)", read("systemd/seep.catalog"), re.M)):
        result = seep.seepctl(verb, "--help")
        seep.equal(result.status, 0, f"seepctl {verb}: {result}")
        for option in re.findall(r" (--?[a-z]+)", rest):
            assert re.search(rf"(^|\s){option}\b", result.out), f"seepctl {verb} has {option}"


def files_of(folder):
    return sorted(os.path.relpath(os.path.join(path, name), folder)
                  for path, _, names in os.walk(folder) for name in names)


def test_install_and_uninstall():
    need("make")
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        for prefix in ("/usr", "/usr/local"):
            result = run("make", "-C", seep.ROOT, "install", f"DESTDIR={folder}", f"PREFIX={prefix}")
            seep.equal(result.returncode, 0, f"make install: {result.stderr}")
            with open(f"{folder}{prefix}/lib/systemd/system/{UNITS[0]}", encoding="utf-8") as f:
                assert f"\nExecStart={prefix}/sbin/seepd\n" in f.read(), "the unit starts it there"
            assert os.access(f"{folder}{prefix}/sbin/seepd", os.X_OK), "the daemon"
            with open(f"{folder}{prefix}/share/man/man8/seepd.8", encoding="utf-8") as f:
                assert f"\n.Pa {prefix}/share/doc/seep/README.md" in f.read(), "the page points there"
            result = run("make", "-C", seep.ROOT, "uninstall", f"DESTDIR={folder}",
                         f"PREFIX={prefix}")
            seep.equal(result.returncode, 0, f"make uninstall: {result.stderr}")
            seep.equal([f for f in files_of(folder) if not f.startswith("etc/seep/")], [],
                       "files that are left")


def test_group_and_folders():
    for tool, name in (("systemd-sysusers", "seep.sysusers"), ("systemd-tmpfiles", "seep.tmpfiles")):
        need(tool)
        with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
            os.makedirs(os.path.join(folder, "etc"))
            action = ["--create"] if tool == "systemd-tmpfiles" else []
            with open(os.path.join(folder, "etc/passwd"), "w", encoding="ascii") as f:
                f.write("root:x:0:0:root:/root:/bin/sh\n")
            with open(os.path.join(folder, "etc/group"), "w", encoding="ascii") as f:
                f.write("root:x:0:\n")
            result = run(tool, *action, f"--root={folder}", os.path.join(FOLDER, name))
            seep.equal(result.returncode, 0, f"{tool}: {result.stderr}")
            if action:
                seep.equal(os.stat(os.path.join(folder, "var/lib/seep")).st_mode & 0o777, 0o700,
                           "mode of the state")
                seep.equal(os.stat(os.path.join(folder, "run/seep")).st_mode & 0o777, 0o755,
                           "mode of the socket's folder")
            else:
                with open(os.path.join(folder, "etc/group"), encoding="ascii") as f:
                    assert "seep:x:" in f.read(), "the group"


if __name__ == "__main__":
    seep.main(globals())
