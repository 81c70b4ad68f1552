# SPDX-License-Identifier: GPL-2.0-or-later
"""Callbacks that are added for each request; each holds what it closes over."""

import collections

import pace

EXPECT = {"type": r"function|cell|.*\bRequest", "held_by": r"callbacks", "container": "list"}

callbacks = []
recent = collections.deque(maxlen=500)


class Request:
    def __init__(self, number):
        self.number = number


def on_close(request):
    def close():  # the leak
        return request.number
    return close


def request(number):
    recent.append(on_close(Request(number)))  # the correct one
    callbacks.append(on_close(Request(number)))  # the leak, too


pace.serve(request)
