# SPDX-License-Identifier: GPL-2.0-or-later
"""An extension module in C that forgets to free. It is built where it is needed: EXTENSION names it."""

import importlib.machinery
import importlib.util
import os

import pace

EXPECT = {"type": None, "held_by": None, "container": None}

path = os.environ["EXTENSION"]
loader = importlib.machinery.ExtensionFileLoader("leaky", path)
leaky = importlib.util.module_from_spec(importlib.util.spec_from_file_location("leaky", path,
                                                                               loader=loader))
loader.exec_module(leaky)


def parse(text):
    return leaky.parse(text)  # the leak


def request(number):
    parse(f"request {number}")


pace.serve(request)
