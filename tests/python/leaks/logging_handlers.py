# SPDX-License-Identifier: GPL-2.0-or-later
"""A handler that is added to a logger for each connection."""

import collections
import io
import logging

import pace

EXPECT = {"type": r"logging\.StreamHandler|.*StringIO|_thread\.RLock", "held_by": r"handlers",
          "container": "list"}

logger = logging.getLogger("connections")


class Connection:
    def __init__(self):
        self.handler = logging.StreamHandler(io.StringIO())  # the leak
        logger.addHandler(self.handler)


def connect():
    handler = logging.StreamHandler(io.StringIO())  # the correct one
    logger.addHandler(handler)
    connections.append(handler)
    if len(connections) > 50:
        logger.removeHandler(connections.popleft())


connections = collections.deque()


def request(number):
    # Adding one looks at all others: with more of them it would be the handlers that are slow. And
    # from 3.14 on each that is removed is left out of a copy of the list.
    if number % 30 == 0:
        connect()
    if number % 3 == 0:
        Connection()


pace.serve(request)
