# SPDX-License-Identifier: GPL-2.0-or-later
"""Trees whose children know their parents, in a process that has switched the collector off."""

import collections
import gc

import pace

EXPECT = {"type": r".*\bNode", "held_by": None, "container": None}

gc.disable()
recent = collections.deque()


class Node:
    __slots__ = ("parent", "children")

    def __init__(self, parent=None):
        self.parent = parent
        self.children = []
        if parent:
            parent.children.append(self)


def request(number):
    recent.append(Node())  # the correct one
    Node(recent[-1])  # the correct one, too
    if len(recent) > 500:
        recent.popleft().children.clear()
    root = Node()  # the leak
    Node(root)  # the leak, too
    Node(root)  # the leak, too


pace.serve(request)
