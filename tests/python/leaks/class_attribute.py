# SPDX-License-Identifier: GPL-2.0-or-later
"""Instances that register themselves in an attribute of their class, and are never unregistered."""

import collections

import pace

EXPECT = {"type": r".*\bSession", "held_by": r"Session\.sessions", "container": "set"}


class Session:
    sessions = set()

    def __init__(self, number):
        self.number = number
        self.sessions.add(self)

    def close(self):
        self.sessions.discard(self)


open_sessions = collections.deque()


def request(number):
    open_sessions.append(Session(number))  # the correct one
    if len(open_sessions) > 500:
        open_sessions.popleft().close()
    Session(number)  # the leak


pace.serve(request)
