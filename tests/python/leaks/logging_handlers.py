# SPDX-License-Identifier: GPL-2.0-or-later
"""A handler that is added to a logger for each connection."""

import collections
import io
import logging

import pace

EXPECT = {"type": r"logging\.StreamHandler|.*StringIO|_thread\.RLock", "held_by": r"handlers",
          "container": "list"}

logger = logging.getLogger("connections")
# Another one: from 3.14 on its list is replaced by a copy for each handler that is removed.
passing = logging.getLogger("passing")


class Connection:
    def __init__(self):
        self.handler = logging.StreamHandler(io.StringIO())  # the leak
        logger.addHandler(self.handler)


def connect():
    handler = logging.StreamHandler(io.StringIO())  # the correct one
    passing.addHandler(handler)
    connections.append(handler)
    if len(connections) > 50:
        passing.removeHandler(connections.popleft())


connections = collections.deque()


def request(number):
    # Adding one looks at all others: with more of them it would be the handlers that are slow.
    if number % 3 == 0:
        connect()
        Connection()


pace.serve(request)
