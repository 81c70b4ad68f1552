# SPDX-License-Identifier: GPL-2.0-or-later
"""The same with bodies that are too large for Python's own allocator."""

import collections

import pace

EXPECT = {"type": r"bytes", "held_by": r"bodies", "container": "list"}

bodies = []
recent = collections.deque(maxlen=500)


def request(number):
    scratch = b"%08d" % number * 200
    recent.append(scratch[2:-2])  # the correct one
    bodies.append(scratch[1:-1])  # the leak


pace.serve(request)
