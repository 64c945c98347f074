"""Does a test turn red when one thing in the library is wrong? Single changes, drawn at random.

    python benchmarks/mutants.py                         # 200 changes in ten modules, a quarter of an hour
    python benchmarks/mutants.py theory/ages.py -n 30 --seed 7
    python benchmarks/mutants.py --seed 1 --pick 4 17    # only the changes with these numbers, again

A change swaps an operator, shifts or turns a comparison, alters a number, moves an index, takes `all`
for `any` or `max` for `min`, drops a `not` or a minus, or drops a check (`if …: raise …`). Each is made
in a copy of the tree, never in place, and meets the doctests of its module and the tests of the same
name: `learning/mlp.py` those of `tests/learning/test_mlp*.py`, and the two files of bad input. A change
that no test sees is printed as "survived". Some of them change nothing that can be seen (a cache that is
larger, `<` for `<=` where equality cannot happen): whoever reads the list decides which.

Messages, annotations, decorators and strings are left alone. Examples of hypothesis are derandomized
(CI=true), so that a change that was caught is caught again.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = (
    "theory/radiocarbon.py", "theory/traceability.py", "datasets/readers.py", "datasets/climate.py",
    "forecasting/scores.py", "matrix/spinup.py", "models/teco.py", "learning/mlp.py",
    "learning/hybrid.py", "assimilation/ensemble.py",
)  # fmt: skip
ALWAYS = ("tests/test_bad_input.py", "tests/test_one_bad_row.py")

ARITHMETIC = {ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,),
              ast.Pow: (ast.Mult,), ast.Mod: (ast.Mult,), ast.FloorDiv: (ast.Mult,),
              ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,)}  # fmt: skip
COMPARISON = {ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE),
              ast.GtE: (ast.Gt, ast.Lt), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,),
              ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,)}  # fmt: skip
NAMES = {"any": "all", "all": "any", "max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum",
         "argmax": "argmin", "argmin": "argmax", "zeros": "ones", "ones": "zeros"}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One change: bytes `start` to `end` of a file become `new`."""

    file: str
    line: int
    start: int
    end: int
    old: str
    new: str

    def __str__(self) -> str:
        short = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.file}:{self.line}  " + "  →  ".join(t if len(t) < 60 else t[:57] + "…" for t in short)


def changes(file: str) -> list[Change]:
    """All single changes of a module, in the order of the file."""
    source = (ROOT / "landcarbon" / file).read_bytes()
    starts = [0]
    for text in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(text))
    found = []
    for node, new in _visit(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        end = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
        old = source[start:end].decode()
        found.append(Change(file, node.lineno, start, end, old, new))  # type: ignore[attr-defined]
    return sorted(found, key=lambda c: (c.start, c.end, c.new))


def _visit(node: ast.AST, index: bool = False) -> Iterator[tuple[ast.AST, str]]:
    """Nodes and what each may become, outside of messages, annotations and decorators."""
    if isinstance(node, (ast.Raise, ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom)):
        return
    if isinstance(node, ast.If):
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node.body[-1], ast.Raise) and not node.orelse:
            yield node, "pass"
    yield from ((node, new) for new in _instead(node, index))
    for name, child in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for part in child if isinstance(child, list) else [child]:
            if isinstance(part, ast.AST):
                yield from _visit(part, index or (isinstance(node, ast.Subscript) and name == "slice"))


def _instead(node: ast.AST, index: bool) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and not _text(node):
        for other in ARITHMETIC.get(type(node.op), ()):
            yield f"({ast.unparse(ast.BinOp(node.left, other(), node.right))})"
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARISON[type(node.ops[0])]:
            yield f"({ast.unparse(ast.Compare(node.left, [other()], node.comparators))})"
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield f"({ast.unparse(ast.BoolOp(other, node.values))})"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub, ast.Invert)):
        yield f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield str(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        whole = isinstance(node.value, int)
        yield str(node.value + 1) if index or whole or not node.value else repr(2 * node.value)
    elif isinstance(node, ast.Call):
        f = node.func
        name = f.attr if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else ""
        if name in NAMES:
            other = ast.Attribute(f.value, NAMES[name]) if isinstance(f, ast.Attribute) else ast.Name(NAMES[name])
            yield ast.unparse(ast.Call(other, node.args, node.keywords))


def _text(node: ast.BinOp) -> bool:
    """Whether an operator joins texts, or the alternatives of a type."""
    sides = (node.left, node.right)
    if isinstance(node.op, ast.BitOr) and any(isinstance(s, ast.Name) and s.id[:1].isupper() for s in sides):
        return True
    strings = (ast.JoinedStr, ast.List, ast.Tuple)
    return any(isinstance(s, strings) or isinstance(getattr(s, "value", None), str) for s in sides)


def draw(modules: list[str], n: int, seed: int) -> list[Change]:
    """n changes, as many in each module as in the others; no two at one place."""
    rng = random.Random(seed)
    share = [n // len(modules) + (k < n % len(modules)) for k in range(len(modules))]
    drawn: list[Change] = []
    for file, wanted in zip(modules, share):
        taken: set[tuple[int, int]] = set()
        pool = changes(file)
        rng.shuffle(pool)
        for change in pool:
            if len(taken) < wanted and (change.start, change.end) not in taken:
                taken.add((change.start, change.end))
                drawn.append(change)
    return drawn


def tests_of(file: str, tree: Path) -> list[str]:
    """The module itself, for its doctests, and its own tests."""
    path = Path(file)
    own = sorted((tree / "tests" / path.parent).glob(f"test_{path.stem}*.py"))
    if not own:
        raise SystemExit(f"there is no tests/{path.parent}/test_{path.stem}*.py; name another module.")
    always = [name for name in ALWAYS if (tree / name).exists()]
    return [f"landcarbon/{file}", *(str(p.relative_to(tree)) for p in own), *always]


def run(tests: list[str], tree: Path, timeout: float) -> tuple[bool, str]:
    """Whether all is green, and what pytest said of the first that is not."""
    said = tree / "said.txt"
    context = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    child = context.Process(target=_pytest, args=(tests, tree, said))
    child.start()
    child.join(timeout)
    if child.is_alive():
        child.kill()
        child.join()
        return False, f"no end in {timeout:.0f} s"
    lines = said.read_text(encoding="utf-8", errors="replace").splitlines()
    red = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return child.exitcode == 0, (red or lines[-1:] or ["no output"])[0][:110]


def _pytest(tests: list[str], tree: Path, said: Path) -> None:
    """In a process of its own, which has what is slow to import from its parent."""
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    sys.dont_write_bytecode = True
    with said.open("w", encoding="utf-8") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        code = pytest.main([*options, "-o", "addopts=--import-mode=importlib --doctest-modules", *tests])
        sys.stdout.flush()
    os._exit(int(code))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("modules", nargs="*", default=list(MODULES), help="as theory/ages.py")
    parser.add_argument("-n", type=int, default=200, help="changes in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pick", type=int, nargs="+", help="only the changes with these numbers")
    chosen = parser.parse_args()
    os.environ.update(CI="true", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    for name in ("hypothesis", "scipy.stats", "scipy.signal", "pandas", "xarray", "sklearn.linear_model", "pytest"):
        importlib.import_module(name)
    drawn = list(enumerate(draw(chosen.modules, chosen.n, chosen.seed)))
    if chosen.pick:
        drawn = [drawn[k] for k in chosen.pick]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in ("landcarbon", "tests"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "conftest.py"):
            shutil.copy(ROOT / name, tree / name)
        limit: dict[str, float] = {}
        score: dict[str, list[bool]] = {}
        for k, change in drawn:
            tests = tests_of(change.file, tree)
            if change.file not in limit:
                began = time.perf_counter()
                green, said = run(tests, tree, 900)
                if not green:
                    raise SystemExit(f"{change.file} is red before any change: {said}")
                limit[change.file] = 30 + 3 * (time.perf_counter() - began)
            target = tree / "landcarbon" / change.file
            right = target.read_bytes()
            target.write_bytes(right[: change.start] + change.new.encode() + right[change.end :])
            green, said = run(tests, tree, limit[change.file])
            target.write_bytes(right)
            score.setdefault(change.file, []).append(not green)
            print(f"{k:4d} {'SURVIVED' if green else 'caught  '} {change}", flush=True)
            if not green:
                print(f"              {said}", flush=True)
    print()
    for file, caught in score.items():
        print(f"{file:28s} {sum(caught):4d} of {len(caught):4d}")
    every = [c for caught in score.values() for c in caught]
    print(f"{'all':28s} {sum(every):4d} of {len(every):4d} caught: {100 * sum(every) / len(every):.1f} %")


if __name__ == "__main__":
    main()
