# SPDX-License-Identifier: GPL-2.0-or-later
"""Bodies of requests that are collected for a report which nobody asks for."""

import collections

import pace

EXPECT = {"type": r"bytes", "held_by": r"bodies", "container": "list",
          "line": False}

bodies = []
recent = collections.deque(maxlen=500)


def request(number):
    scratch = b"%08d" % number * 40
    recent.append(scratch[2:-2])  # the correct one
    bodies.append(scratch[1:-1])  # the leak


pace.serve(request)
