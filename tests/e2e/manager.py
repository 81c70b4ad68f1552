# SPDX-License-Identifier: GPL-2.0-or-later
"""What systemd does for seepd's descriptors: a store that outlives it, filled over a notify socket.

The protocol is that of sd_notify(3), sd_pid_notify_with_fds(3) and sd_listen_fds(3): FDSTORE=1 with
FDNAME= and descriptors in SCM_RIGHTS, FDSTOREREMOVE=1; at a start the stored ones come as 3, 4, ...
"""

import contextlib
import fcntl
import os
import select
import signal
import socket
import tempfile
import threading
import time

import seep

FIRST = 3  # SD_LISTEN_FDS_START


class Process:
    """A child that subprocess cannot start: with descriptors from 3 on."""

    def __init__(self, pid):
        self.pid = pid
        self.returncode = None

    def take(self, status):
        self.returncode = os.waitstatus_to_exitcode(status)

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.take(status)
        return self.returncode

    def wait(self, timeout=seep.DEADLINE):
        if self.poll() is None:
            ended = os.pidfd_open(self.pid)
            try:
                ready, _, _ = select.select([ended], [], [], timeout)
            finally:
                os.close(ended)
            assert ready, f"process {self.pid} does not end"
        return self.poll()

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


class Store:
    """Names and descriptors, up to a limit. What is sent is taken by a thread, at once."""

    def __init__(self, folder, most):
        self.path = os.path.join(folder, "notify")
        self.most = most
        self.held = []  # (name, descriptor)
        self.refused = 0
        self.messages = []
        self.lock = threading.Lock()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(self.path)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                text, fds, _, _ = socket.recv_fds(self.socket, 4096, 256)
            except OSError:
                return
            if not text:
                return
            with self.lock:
                self.take(text.decode(), fds)

    def take(self, text, fds):
        fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        name = fields.get("FDNAME", "stored")
        assert ":" not in name and len(name) <= 255, name
        if fields.get("FDSTOREREMOVE") == "1":
            for held in [h for h in self.held if h[0] == name]:
                os.close(held[1])
                self.held.remove(held)
        elif fields.get("FDSTORE") == "1":
            # Others would be polled, and dropped when they say that they have an error: maps do.
            seep.equal(fields.get("FDPOLL"), "0", f"FDPOLL of {name}")
            for fd in fds:
                self.keep(name, fd)
            fds = []
        else:
            self.messages.append(text)
        for fd in fds:
            os.close(fd)

    def keep(self, name, fd):
        if len(self.held) < self.most:
            self.held.append((name, fd))
        else:
            self.refused += 1
            os.close(fd)

    def settle(self):
        """Until what was sent before is taken."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            mark = f"MARK={time.monotonic()}"
            s.connect(self.path)
            s.send(mark.encode())
        seep.wait_until(lambda: mark in self.messages, "the manager has read its socket")

    def names(self):
        with self.lock:
            return sorted(name for name, _ in self.held)

    def fd(self, name):
        with self.lock:
            return dict(self.held)[name]

    def drop(self, name=None):
        """As if the service had been stopped, if no name is given."""
        with self.lock:
            for held in [h for h in self.held if name in (None, h[0])]:
                os.close(held[1])
                self.held.remove(held)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.socket.close()
        self.drop()


class ManagedDaemon(seep.Daemon):
    """A seepd under a service manager; killed or ended, it is started again with what it has left."""

    def __init__(self, *options, most=128, tick="1s", state_dir=None, config=None,
                 deadline=seep.DEADLINE):
        self.store = None
        self.most = most
        self.deadline = deadline
        super().__init__(*options, tick=tick, check=False, state_dir=state_dir, config=config,
                         deadline=deadline)

    def start(self):
        if not self.store:
            self.store = Store(self.folder.name, self.most)
        self.store.settle()
        with self.store.lock:
            held = list(self.store.held)
            pid = os.fork()
            if pid == 0:
                self.execute(held)
        return Process(pid)

    def execute(self, held):
        """In the child: never returns."""
        try:
            seep.die_with_parent()
            log = os.open(self.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            null = os.open("/dev/null", os.O_RDONLY)
            # First above where they are to be, so that none is overwritten before it was copied.
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 500) for _, fd in held]
            for number, fd in ((0, null), (1, log), (2, log)):
                os.dup2(fd, number)
            for i, fd in enumerate(high):
                os.dup2(fd, FIRST + i, inheritable=True)
            os.closerange(FIRST + len(held), 4096)
            environment = seep.environment(NOTIFY_SOCKET=self.store.path)
            if held:
                environment.update(LISTEN_FDS=str(len(held)), LISTEN_PID=str(os.getpid()),
                                   LISTEN_FDNAMES=":".join(name for name, _ in held))
            os.execve(self.command[0], self.command, environment)
        finally:
            os._exit(97)

    def again(self, wait=True):
        """Starts it again, as systemd would after its end."""
        self.process = self.start()
        self.pid = self.process.pid
        if wait:
            seep.wait_until(self.is_ready, "seepd is ready again", self.deadline)

    def kill(self):
        self.process.kill()
        seep.equal(self.process.wait(seep.DEADLINE), -signal.SIGKILL, "it was killed")
        self.store.settle()

    def restart(self, number=signal.SIGTERM, wait=True):
        if number == signal.SIGKILL:
            self.kill()
        else:
            self.process.send_signal(number)
            seep.equal(self.process.wait(seep.DEADLINE), 0, f"exit status of seepd; it says: {self.log()}")
        self.again(wait)

    def stop(self):
        """As systemctl stop: after its end nothing is kept."""
        status = super().stop()
        self.store.settle()
        self.store.drop()
        return status

    def __exit__(self, kind, exception, trace):
        try:
            super().__exit__(kind, exception, trace)
        finally:
            if self.store:
                self.store.close()
