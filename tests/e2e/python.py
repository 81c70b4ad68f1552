# SPDX-License-Identifier: GPL-2.0-or-later
"""Python processes for the tests: of the host's interpreter, or of $SEEP_PYTHON, a path in the root folder
$SEEP_PYTHON_ROOT (tests/python/run.sh goes through several)."""

import contextlib
import os
import shutil
import subprocess
import tempfile

import seep

SCRIPTS = os.path.join(seep.ROOT, "tests", "workloads", "python")
HOME = os.environ.get("SEEP_PYTHON_ROOT", "")
PYTHON = os.environ.get("SEEP_PYTHON", "/usr/bin/python3")


def interpreter():
    """The words that start it."""
    if not os.path.exists(HOME + PYTHON):
        raise seep.Skip(f"there is no {HOME}{PYTHON}")
    return ["chroot", HOME, PYTHON] if HOME else [PYTHON]


def version():
    out = subprocess.run([*interpreter(), "-c", "import sys; print(*sys.version_info[:2])"],
                         capture_output=True, check=True).stdout
    return tuple(int(n) for n in out.split())


def include_folder():
    """Where its headers would be, as this machine sees it."""
    out = subprocess.run([*interpreter(), "-c", "import sysconfig as s; print(s.get_path('include', "
                          "scheme='posix_prefix', vars=dict(base=s.get_config_var('prefix'), "
                          "installed_base=s.get_config_var('prefix'))))"],
                         capture_output=True, check=True).stdout
    return HOME + out.decode().strip()


@contextlib.contextmanager
def folder():
    """One that the interpreter can read, as this machine sees it; inside() tells its name there."""
    with tempfile.TemporaryDirectory(prefix="seep-python-", dir=HOME + "/tmp") as path:
        os.chmod(path, 0o755)
        yield path


def inside(path):
    return path.removeprefix(HOME)


class Python(seep.Workload):
    """A script of tests/workloads/python, held at its first step. It, and arguments that are files, are
    copied to where its root is."""

    def __init__(self, name, *arguments, prefix=(), **options):
        words = [*prefix, *interpreter()]
        self.folder = tempfile.mkdtemp(prefix="seep-python-", dir=HOME + "/tmp")
        os.chmod(self.folder, 0o755)
        self.script = self.copy(os.path.join(SCRIPTS, name))
        arguments = [self.copy(a) if os.path.isabs(a) else a for a in arguments]
        super().__init__(name, *arguments, path=self.script, prefix=words,
                         wait=False, **options)
        seep.equal(self.read_line(), "ready", f"{name} says that it is ready")

    def copy(self, path):
        return shutil.copy(path, self.folder).removeprefix(HOME)

    def __exit__(self, *exception):
        super().__exit__(*exception)
        shutil.rmtree(self.folder)


def frames_of(site):
    """The Python frames of a stack as [file, line, name], the innermost first."""
    return [[f["file"], f["line"], f["function"]] for f in site["frames"] if f["kind"] == "python"]
