# SPDX-License-Identifier: GPL-2.0-or-later
"""Forks children that allocate, and executes another image that does; tells nothing but lines.

The child of "fork" allocates in child(), the image of "exec" in image().
"""

import os
import sys

kept = []


def child():
    kept.append(bytearray(11003))


def image():
    kept.append(bytearray(11027))


def main():
    if "image" in sys.argv:
        # The interpreter has started, but seep has hardly seen it.
        for _ in range(20):
            image()
        print("image", flush=True)
        os.read(0, 1)
        for _ in range(3):
            image()
        print("done", flush=True)
        os.read(0, 1)
        os._exit(0)
    print("ready", flush=True)
    os.read(0, 1)
    children = []
    # Children allocate when they are told to, and live until the image that forked them is gone.
    waits, tells = os.pipe()
    ends, lives = os.pipe()
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            os.close(lives)
            os.read(waits, 1)
            child()
            os.read(ends, 1)
            os._exit(0)
        children.append(pid)
    print("forked", *children, flush=True)
    os.read(0, 1)
    os.write(tells, b"x" * len(children))
    os.read(0, 1)
    os.execv(sys.executable, [sys.executable, *sys.argv, "image"])


main()  # of all
