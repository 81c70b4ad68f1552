# SPDX-License-Identifier: GPL-2.0-or-later
"""A cache by the number of the request, which is never asked for again."""

import pace

EXPECT = {"type": r".*\bReply", "held_by": r"cache", "container": "dict"}

cache = {}


class Reply:
    def __init__(self, number):
        self.number = number
        self.status = "ok"


def request(number):
    for i in range(5):
        Reply(i)  # the correct one
    reply = Reply(number)  # the leak
    cache[f"request-{number}"] = reply


pace.serve(request)
