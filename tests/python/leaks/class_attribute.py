# SPDX-License-Identifier: GPL-2.0-or-later
"""Instances that register themselves in an attribute of their class, and are never unregistered."""

import pace

EXPECT = {"type": r".*\bSession", "held_by": r"Session\.sessions", "container": "list"}


class Session:
    sessions = []

    def __init__(self, number):
        self.number = number
        self.sessions.append(self)


def request(number):
    Session(number)  # the leak


pace.serve(request)
