# SPDX-License-Identifier: GPL-2.0-or-later
"""The interpreters that the tests look into, and what they share.

SEEP_PYTHONS names them, apart by blanks; by default the machine's, those of pyenv, and those in the Debian
folders that "make pythons" makes.
"""

import contextlib
import glob
import json
import os
import select
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# Last: some files there have the names of files here.
sys.path.append(os.path.join(os.path.dirname(HERE), "e2e"))

import seep  # noqa: E402


def version_of(command):
    result = subprocess.run([*command, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"],
                            capture_output=True, text=True, check=False)
    return result.stdout.strip() if result.returncode == 0 else None


def find():
    """[(name, command)] of all that start and have a version that is known."""
    named = os.environ.get("SEEP_PYTHONS")
    if named:
        candidates = [[path] for path in named.split()]
    else:
        candidates = [["/usr/bin/python3"]]
        candidates += [["chroot", folder, "/usr/bin/python3"] for folder in
                       sorted(glob.glob(os.path.join(seep.BUILD, "pythons/*/")))]
        candidates += [[path] for path in
                       sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3")))]
    found = []
    for command in candidates:
        version = version_of(command)
        if version and 8 <= int(version.split(".")[1]) <= 14:
            found.append((f"{version} of {' '.join(command)}", command))
    return found


class Program:
    """A program of this folder in some interpreter; what it says first is its truth."""

    def __init__(self, command, name, *arguments, environment=None, options=()):
        self.errors = tempfile.TemporaryFile()
        with open(os.path.join(HERE, name), "rb") as source:
            text = source.read()
        # On standard input, since in another root the path is another one.
        self.process = subprocess.Popen(
            [*command, *options, "-", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, bufsize=0, preexec_fn=seep.die_with_parent,
            env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **(environment or {})))
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(text)
            self.process.stdin.close()
        self.pid = self.process.pid
        ready, _, _ = select.select([self.process.stdout], [], [], 120)
        line = self.process.stdout.readline() if ready else b""
        assert line, f"{command} {name} {arguments}: no truth; {self.error_text()}"
        self.truth = json.loads(line)

    def error_text(self):
        self.errors.seek(0)
        return self.errors.read().decode()

    def state(self):
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait(30)
        self.process.stdout.close()
        self.errors.close()


def run_driver(name, *arguments, sanitized=False):
    path = os.path.join(seep.BUILD, "san/python" if sanitized else "tests/python", name)
    result = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True,
                            timeout=120, check=False)
    assert result.returncode == 0, f"{name} {arguments}: status {result.returncode}\n{result.stderr}"
    return json.loads(result.stdout)
