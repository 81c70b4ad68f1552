# SPDX-License-Identifier: GPL-2.0-or-later
"""Cursors of which the first row is read, and which are kept."""

import pace

EXPECT = {"type": r"generator", "held_by": r"cursors", "container": "list"}

cursors = []


def rows(number):
    for i in range(100):
        yield number, i


def request(number):
    cursor = rows(number)  # the leak
    next(cursor)
    cursors.append(cursor)


pace.serve(request)
