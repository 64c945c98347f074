"""Typical wrong answers of chapter 24, each with the kind of error its check must name."""

import numpy as np


def gain(x, sd):
    return x.var() / (x.var() + sd**2)


def unperturbed(x, y, sd, rng):
    return x + gain(x, sd) * (y - x)


def gain_of_standard_deviations(x, y, sd, rng):
    k = x.std() / (x.std() + sd)
    return x + k * (y + sd * rng.standard_normal(x.size) - x)


def away(x, y, sd, rng):
    return x - gain(x, sd) * (y + sd * rng.standard_normal(x.size) - x)


def halfway(x, y, sd, rng):
    return 0.5 * (x + y)


def compare(reforecast, table, other, date):
    return np.array_equal(reforecast(table, date), reforecast(other, date))


def wild(table, late):
    return table.assign(value=table["value"].where(~late, 1e6))


def only_cut(f, table, date):
    return compare(f, table, table[table["available"] <= date], date)


def only_falsify(f, table, date):
    return compare(f, table, wild(table, table["available"] > date), date)


def by_time(f, table, date):
    late = table["time"] > date
    return compare(f, table, table[~late], date) and compare(f, table, wild(table, late), date)


def strictly_before(f, table, date):
    late = table["available"] >= date
    return compare(f, table, table[~late], date) and compare(f, table, wild(table, late), date)


def in_place(f, table, date):
    before = f(table, date)
    table.loc[table["available"] > date, "value"] = 1e6
    return np.array_equal(before, f(table, date))


def from_the_mean(x, y, sd, rng):
    return x.mean() + gain(x, sd) * (y + sd * rng.standard_normal(x.size) - x.mean())


WRONG = {
    "24.1": [
        (unperturbed, "incomplete"),
        (gain_of_standard_deviations, "units"),
        (away, "sign"),
        (halfway, "limit"),
        (lambda x, y, sd, rng: x + gain(x, sd) * (y + sd * rng.standard_normal() - x), "incomplete", "one for all"),
        (from_the_mean, "identity", "start from their mean"),
    ],
    "24.2": [
        (only_cut, "incomplete"),
        (only_falsify, "incomplete"),
        (by_time, "choice"),
        (strictly_before, "off by one"),
        (in_place, "leakage"),
        (lambda f, table, date: True, "leakage"),
    ],
    "24.3": [
        (lambda d: {k: x.var(0) / d["none"].var(0) for k, x in d.items()}, "sign"),
        (lambda d: {k: 1 - x.std(0) / d["none"].std(0) for k, x in d.items()}, "units"),
        (lambda d: {"both": 1 - d["both"].var(0) / d["none"].var(0)}, "incomplete"),
        (lambda d: {k: 1 - x.var() / d["none"].var() for k, x in d.items()}, "shape"),
        (lambda d: {k: d["none"].var(0) - x.var(0) for k, x in d.items()}, "units", "variance before"),
    ],
}
