#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sockets that the service manager has opened: used by their names, and left to it."""

import errno
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import tempfile

import seep


class Activated:
    """A seepd that is started as by systemd: with sockets from descriptor 3 on, and their names."""

    def __init__(self, names, sockets, folder):
        self.log_path = os.path.join(folder, "log")

        def prepare():
            seep.die_with_parent()
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
        # Out of the way of where they are going to be.
        high = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 100) for s in sockets]
        environment = f"LISTEN_FDS={len(sockets)} LISTEN_FDNAMES={':'.join(names)}"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", f"LISTEN_PID=$$ {environment} exec \"$@\"", "sh", seep.SEEPD,
                 "--config", folder, "--state-dir", "none", "--tick", "1s"],
                stdout=log, stderr=log, close_fds=False, preexec_fn=prepare)
        for fd in high:
            os.close(fd)

    def log(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(seep.DEADLINE)


def listen_unix(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(path)
    s.listen(16)
    return s


def listen_tcp(address="127.0.0.1"):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.bind((address, 0))
    s.listen(16)
    return s


def status_of(connection, path):
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def test_handed_sockets():
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        path = os.path.join(folder, "handed.sock")
        with listen_unix(path) as api, listen_tcp() as web, \
                Activated(["api", "http"], [api, web], folder) as daemon:
            seep.wait_equal(lambda: status_of(seep.Connection(path), "/readyz"), 200,
                            "the unix socket answers")
            port = web.getsockname()[1]
            seep.equal(status_of(http.client.HTTPConnection("127.0.0.1", port), "/metrics"), 200,
                       "the loopback one")
            seep.equal(status_of(http.client.HTTPConnection("127.0.0.1", port), "/v1/targets"), 403,
                       "what is not for everybody")
            daemon.process.send_signal(signal.SIGTERM)
            seep.equal(daemon.process.wait(seep.DEADLINE), 0, f"exit status; it says {daemon.log()}")
            # It is not the daemon's to remove: a client that comes now waits for the next one.
            assert os.path.exists(path), "the socket file is left"
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(path)


def test_clients_wait_over_a_restart():
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        path = os.path.join(folder, "handed.sock")
        with listen_unix(path) as api:
            early = seep.Connection(path)
            early.request("GET", "/v1/info")
            with Activated(["seepd.socket"], [api], folder):
                seep.equal(early.getresponse().status, 200, "one that came before the daemon")
            early.close()


def test_unknown_names_are_closed():
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        path, other = os.path.join(folder, "a.sock"), os.path.join(folder, "b.sock")
        with listen_unix(path) as api, listen_unix(other) as unknown, \
                Activated(["api", "surprise"], [api, unknown], folder) as daemon:
            seep.wait_equal(lambda: status_of(seep.Connection(path), "/readyz"), 200, "it answers")
            assert "named 'surprise'" in daemon.log(), daemon.log()
            unknown.close()
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                seep.equal(client.connect_ex(other), errno.ECONNREFUSED, "nobody holds it any more")


def test_reachable_socket_is_refused():
    """Whoever configures the socket unit may err, too."""
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        with listen_unix(os.path.join(folder, "a.sock")) as api, listen_tcp("0.0.0.0") as web, \
                Activated(["api", "http"], [api, web], folder) as daemon:
            seep.equal(daemon.process.wait(seep.DEADLINE), 1, f"exit status; it says {daemon.log()}")
            assert "Permission denied" in daemon.log(), daemon.log()


if __name__ == "__main__":
    seep.main(globals())
