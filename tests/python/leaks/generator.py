# SPDX-License-Identifier: GPL-2.0-or-later
"""Cursors of which the first row is read, and which are kept."""

import collections

import pace

EXPECT = {"type": r"generator", "held_by": r"cursors", "container": "list", "line": False}

cursors = []
recent = collections.deque(maxlen=500)


def rows(number):
    for i in range(100):
        yield number, i


def request(number):
    recent.append(rows(number))  # the correct one
    next(recent[-1])
    cursor = rows(number)  # the leak
    next(cursor)
    cursors.append(cursor)


pace.serve(request)
