# SPDX-License-Identifier: GPL-2.0-or-later
"""The same with bodies that are too large for Python's own allocator."""

import pace

EXPECT = {"type": r"bytes", "held_by": r"bodies", "container": "list"}

bodies = []


def request(number):
    scratch = b"%08d" % number * 200
    bodies.append(scratch[1:-1])  # the leak


pace.serve(request)
