#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fits the weights of src/trend/confidence.c.

    build/eval/eval --seeds 20 --first 1 --no-baselines --rows build/rows
    tests/eval/fit.py build/rows

A row: group, family, leaks (0 or 1), then the features in the order of confidence.h.
Logistic regression by Newton's method with a ridge of 1 on all but the intercept.
"""
import math
import sys

RIDGE = 1.0
NOT_FITTED = ("4", "5")  # deploys, fresh families


def read(path):
    rows, labels = [], []
    with open(path) as file:
        for line in file:
            fields = line.split()
            if fields[0] in NOT_FITTED:
                continue
            labels.append(int(fields[2]))
            rows.append([1.0] + [float(f) for f in fields[3:]])
    return rows, labels


def probability(weights, row):
    score = sum(w * x for w, x in zip(weights, row))
    return 1 / (1 + math.exp(-max(-30, min(30, score))))


def solve(matrix, vector):
    n = len(vector)
    m = [row[:] + [vector[i]] for i, row in enumerate(matrix)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda r: abs(m[r][i]))
        m[i], m[pivot] = m[pivot], m[i]
        for r in range(n):
            if r != i and m[r][i]:
                factor = m[r][i] / m[i][i]
                m[r] = [a - factor * b for a, b in zip(m[r], m[i])]
    return [m[i][n] / m[i][i] for i in range(n)]


def step(weights, rows, labels):
    k = len(weights)
    hessian = [[0.0] * k for _ in range(k)]
    gradient = [0.0] * k
    for row, label in zip(rows, labels):
        p = probability(weights, row)
        used = [i for i in range(k) if row[i]]
        for i in used:
            gradient[i] += (label - p) * row[i]
            for j in used:
                hessian[i][j] += p * (1 - p) * row[i] * row[j]
    for i in range(1, k):
        hessian[i][i] += RIDGE
        gradient[i] -= RIDGE * weights[i]
    return [w + d for w, d in zip(weights, solve(hessian, gradient))]


def main():
    rows, labels = read(sys.argv[1])
    weights = [0.0] * len(rows[0])
    for _ in range(12):
        weights = step(weights, rows, labels)
    loss = -sum(math.log(max(1e-9, p if y else 1 - p))
                for y, p in zip(labels, (probability(weights, r) for r in rows))) / len(rows)
    print("intercept %.3f" % weights[0])
    print("weights " + " ".join("%.3f" % w for w in weights[1:]))
    print("rows %d, log loss %.4f" % (len(rows), loss))


if __name__ == "__main__":
    main()
