"""A valid call of every public function and method: the first one in the examples of its module.

The examples of the docstrings are run under a profiler, which sees the arguments of each call; what no
example calls is called in `more.py`.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import inspect
import io
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import landcarbon

from .more import MORE

LEFT_OUT = ("landcarbon.course", "landcarbon.workflow", "landcarbon.matrix.errors", "landcarbon.matrix.frozen",
            "landcarbon.matrix.cascade", "landcarbon.matrix.solve", "landcarbon.theory.chain",
            "landcarbon.theory.flow")  # fmt: skip
"""The course, the tool, the gate itself (tests/matrix), and linear algebra behind functions that have read."""
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@dataclass
class Call:
    """A function with arguments that it takes."""

    name: str
    function: Any
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


def modules(prefix: str = "landcarbon") -> list[ModuleType]:
    """Every module that lists public names, but those of `LEFT_OUT`."""
    found = [
        importlib.import_module(m.name)
        for m in pkgutil.walk_packages(landcarbon.__path__, "landcarbon.")
        if not m.name.startswith(LEFT_OUT) and m.name.startswith(prefix)
    ]
    return [m for m in found if hasattr(m, "__all__")]


def public(module: ModuleType) -> dict[str, tuple[Any, Any]]:
    """Public functions, classes and methods of a module by name: what is called, and its own code."""
    found: dict[str, tuple[Any, Any]] = {}
    for name in module.__all__:
        thing = getattr(module, name)
        if getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(thing):
            found[name] = thing, thing.__code__
        elif inspect.isclass(thing) and not issubclass(thing, Exception) and not getattr(thing, "_is_protocol", False):
            if hasattr(thing.__init__, "__code__"):
                found[name] = thing, thing.__init__.__code__
            fields = getattr(thing, "__dataclass_fields__", {})
            for own, made in vars(thing).items():
                if own in fields:  # a function that somebody chooses
                    continue
                plain = made.__func__ if isinstance(made, (classmethod, staticmethod)) else made
                if inspect.isfunction(plain) and (not own.startswith("_") or own in ("__call__", "__getitem__")):
                    found[f"{name}.{own}"] = getattr(thing, own), plain.__code__
    return found


def recorded(module: ModuleType) -> Iterator[Call]:
    """What the examples of a module call first, by name."""
    wanted = public(module)
    name_of = {code: name for name, (_, code) in wanted.items()}
    seen: dict[str, dict[str, Any]] = {}

    def watch(frame: Any, event: str, arg: Any) -> None:
        if event == "call":
            name = name_of.get(frame.f_code)
            if name is not None and name not in seen:
                seen[name] = dict(frame.f_locals)

    runner = doctest.DocTestRunner(verbose=False, optionflags=OPTIONS)
    tests = doctest.DocTestFinder(exclude_empty=True).find(module)
    tests.sort(key=lambda test: test.name.count("."))
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for test in tests:
            sys.setprofile(watch)
            try:
                runner.run(test, out=lambda text: None, clear_globs=False)
            finally:
                sys.setprofile(None)
        more = MORE.get(module.__name__.removeprefix("landcarbon."))
        if more is not None:
            sys.setprofile(watch)
            try:
                more()
            finally:
                sys.setprofile(None)
    for name, given in seen.items():
        function, code = wanted[name]
        yield _bound(name, function, code, given)


def calls(module: ModuleType) -> list[Call]:
    """A valid call of every public name of a module that an example calls and a learner may."""
    return [call for call in recorded(module) if not is_made_by_the_library(module, call.name)]


def _bound(name: str, function: Any, code: Any, given: dict[str, Any]) -> Call:
    """The recorded arguments in the form of a call."""
    count = code.co_argcount
    names = list(code.co_varnames[: count + code.co_kwonlyargcount])
    extra = code.co_varnames[count + code.co_kwonlyargcount :]
    args: list[Any] = []
    if code.co_flags & inspect.CO_VARARGS:
        args, extra = list(given[extra[0]]), extra[1:]
    more = dict(given[extra[0]]) if code.co_flags & inspect.CO_VARKEYWORDS else {}
    first = names[0] if names else ""
    if inspect.isclass(function) and first == "self":
        names = names[1:]
    elif first == "self":
        function = function.__get__(given["self"])
        names = names[1:]
    elif first == "cls":
        names = names[1:]
    if args:  # what stands before *args is positional
        args = [given[n] for n in names[: count - (first in ("self", "cls"))]] + args
        names = names[count - (first in ("self", "cls")) :]
    return Call(name, function, args, {n: given[n] for n in names} | more)


def is_made_by_the_library(module: ModuleType, name: str) -> bool:
    """Whether a class is a result: its docstring lists attributes to read, not parameters to give."""
    thing = getattr(module, name, None)
    return inspect.isclass(thing) and "Parameters\n" not in (thing.__doc__ or "")
