# SPDX-License-Identifier: GPL-2.0-or-later
"""A cache by the number of the request, which is never asked for again."""

import collections

import pace

EXPECT = {"type": r".*\bReply", "held_by": r"cache", "container": "dict"}

cache = {}
recent = collections.deque(maxlen=500)


class Reply:
    def __init__(self, number):
        self.number = number
        self.status = "ok"


def request(number):
    recent.append(Reply(number))  # the correct one
    reply = Reply(number)  # the leak
    cache[f"request-{number}"] = reply


pace.serve(request)
