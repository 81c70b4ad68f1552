# SPDX-License-Identifier: GPL-2.0-or-later
"""What is read once for each user is kept, and there are so many users; then all of it is there."""

import random

import pace

EXPECT = None

USERS = 3000

users = {}


class User:
    def __init__(self, number):
        self.name = f"user {number}"
        self.visits = 0


def request(number):
    # Most come soon, some late.
    user = int(USERS * random.random() ** 3)
    if user not in users:
        users[user] = User(user)
    users[user].visits += 1


pace.serve(request)
