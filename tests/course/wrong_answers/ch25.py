"""Typical wrong answers of chapter 25, each with the kind of error its check must name."""

import numpy as np


def optimist(table):
    return int(table.max(axis=1).argmax()), table.max()


def pessimist(table):
    row = int(table.min(axis=1).argmax())
    return row, table[row].mean()


def by_member(table):
    return int(table.mean(axis=0).argmax()), table.mean(axis=0).max()


def worth_of_the_sum(table):
    return int(table.mean(axis=1).argmax()), table.sum(axis=1).max()


def most_often(table):
    row = int(np.bincount(table.argmax(axis=0), minlength=len(table)).argmax())
    return row, table[row].mean()


def middle(table):
    return int(np.median(table, axis=1).argmax()), np.median(table, axis=1).max()


WRONG = {
    "25.1": [
        (optimist, "choice"),
        (pessimist, "choice"),
        (by_member, "transposed", "axis=1"),
        (worth_of_the_sum, "value"),
        (lambda table: int(table.mean(axis=1).argmax()), "shape"),
        (middle, "choice", "median"),
        (most_often, "choice", "most members"),
        (lambda t: (int(t.mean(axis=1).argmin()), t.mean(axis=1).min()), "choice", "argmin"),
        (lambda t: (int(t.mean(axis=1).argmax()) + 1, t.mean(axis=1).max()), "off by one", "from 0"),
        (lambda t: (t.mean(axis=1).max(), int(t.mean(axis=1).argmax())), "shape", "first"),
        (lambda t: (int(t.mean(axis=1).argmax()), t.mean(axis=1)), "shape", "not of all"),
    ],
    "25.2": [
        (lambda t: t.mean(axis=1).max() - t.max(axis=0).mean(), "sign"),
        (lambda t: t.max(axis=0).mean(), "limit"),
        (lambda t: (t.max(axis=0) - t[t.mean(axis=1).argmax()]).sum(), "units"),
        (lambda t: t.max() - t.mean(axis=1).max(), "limit"),
        (lambda t: np.abs(t).max(axis=0).mean() - np.abs(t.mean(axis=1).max()), "limit"),
        (lambda t: t.max(axis=1).mean() - t.mean(axis=0).max(), "transposed", "axes"),
        (lambda t: t.max(axis=0).mean() - t.mean(), "incomplete", "at random"),
        (lambda t: t.max(axis=0).mean() / t.mean(axis=1).max(), "limit"),
        (lambda t: t.max(axis=0) - t.mean(axis=1).max(), "shape"),
        (lambda t: t.mean(axis=1).max() - t.min(axis=0).mean(), "sign"),
    ],
}
