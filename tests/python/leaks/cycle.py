# SPDX-License-Identifier: GPL-2.0-or-later
"""Trees whose children know their parents, in a process that has switched the collector off."""

import gc

import pace

EXPECT = {"type": r".*\bNode", "held_by": None, "container": None}

gc.disable()


class Node:
    __slots__ = ("parent", "children")

    def __init__(self, parent=None):
        self.parent = parent
        self.children = []
        if parent:
            parent.children.append(self)


def request(number):
    root = Node()  # the leak
    Node(root)  # the leak, too
    Node(root)  # the leak, too


pace.serve(request)
