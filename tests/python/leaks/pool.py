# SPDX-License-Identifier: GPL-2.0-or-later
"""Buffers that are lent and come back; there are as many as were ever lent at once."""

import collections
import random

import pace

EXPECT = None

free = []
lent = collections.deque()


class Buffer:
    def __init__(self):
        self.data = bytearray(400)


def request(number):
    lent.append(free.pop() if free else Buffer())
    for _ in range(random.randrange(3)):
        if lent:
            free.append(lent.popleft())
    while len(lent) > 500:
        free.append(lent.popleft())


pace.serve(request)
