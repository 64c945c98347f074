"""The store: what decides is told apart, what was made is kept whole, by one process at a time."""

from __future__ import annotations

import dataclasses
import errno
import functools
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import sparse
from sklearn.linear_model import Ridge

from landcarbon import store as store_module
from landcarbon.matrix.errors import InputError
from landcarbon.models import clm5
from landcarbon.store import Store, fingerprint, short, to_netcdf


@dataclasses.dataclass(frozen=True, eq=False)
class Options:
    bounds: tuple[float, float]
    table: np.ndarray
    seconds: float = dataclasses.field(default=0.0, compare=False)


class Model:
    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, x: float) -> float:
        return self.rate * x


class Slotted:
    __slots__ = ("x",)

    def __init__(self, x: int) -> None:
        self.x = x


def closing(over):
    return lambda x: x + over


def masked(fill: float) -> np.ma.MaskedArray:
    return np.ma.MaskedArray([1.0, fill, 3.0], [False, True, False])


def used(draws: int) -> np.random.Generator:
    rng = np.random.default_rng(3)
    rng.random(draws)
    return rng


FRAME = pd.DataFrame({"id": ["a", None], "x": [1.0, np.nan], "day": pd.to_datetime(["2001", "2002"])})
DATA = xr.Dataset({"x": ("site", [1.0, 2.0], {"units": "m"})}, {"site": ["p", "q"]})

SAME = [
    (1, np.int64(1)), (1, 1.0), (0.3, np.float64(0.3)), ("a", np.str_("a")),
    ([1, 2], (1, 2)), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({1, 2, 3}, {3, 2, 1}),
    (np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3))),
    (np.arange(3, dtype="<f8"), np.arange(3, dtype=">f8")),
    (masked(-9999.0), masked(7.0)), (FRAME, FRAME.copy()), (DATA, DATA.copy(deep=True)),
    (closing(2.0), closing(2.0)), (Model(2.0), Model(2.0)), (used(2), used(2)),
    (Options((0, 1), np.ones(2)), Options((0, 1), np.ones(2), seconds=9.0)),
    (functools.partial(max, 1), functools.partial(max, 1)), (clm5, clm5),
    (np.array(["a", 1], object), np.array(["a", 1], object)), (Ridge(1.0), Ridge(1.0)), (Slotted(1), Slotted(1)),
    (sparse.eye_array(2).tocsr(), sparse.eye_array(2).tocsr()),
]  # fmt: skip

OTHER = [
    (1, 2), (True, 1), (None, 0), ("1", 1), (0.1, np.nextafter(0.1, 1)), ([1, 2], [2, 1]), ([[1], 2], [1, 2]),
    (["ab", "c"], ["a", "bc"]), ({"a": 1}, {"a": 2}), (np.zeros((2, 3)), np.zeros((3, 2))),
    (np.ones(2, "f4"), np.ones(2)), (masked(1.0), np.ma.MaskedArray([1.0, 0, 3], [False] * 3)),
    (FRAME, FRAME.rename(columns={"x": "y"})), (FRAME, FRAME.set_index("id")), (FRAME, FRAME.fillna({"x": 0.0})),
    (DATA, DATA.rename(x="y")), (DATA, DATA.assign_coords(site=["p", "r"])), (DATA, DATA * 2.0),
    (DATA.x, DATA.x.assign_attrs(units="cm")), (closing(2.0), closing(3.0)),
    (lambda x: x + 1, lambda x: x + 2), (lambda x: x + 1, lambda x: x - 1), (lambda x, n=1: n, lambda x, n=2: n),
    (lambda x: [x + y for y in (1, 2)], lambda x: [x - y for y in (1, 2)]),
    (Model(2.0), Model(2.1)), (used(2), used(3)), (np.sum, np.mean), (np.exp, np.log),
    (Options((0, 1), np.ones(2)), Options((0, 2), np.ones(2))), (Model, Options),
    (functools.partial(max, 1), functools.partial(max, 2)), (Model(1.0).__call__, Model(2.0).__call__),
    (np.datetime64("2001-01-01"), np.datetime64("2001-01-02")), (Path("a"), Path("b")),
    (pd.Timestamp("2001-01-01"), pd.Timestamp("2001-01-01", tz="UTC")),
    (np.random.SeedSequence(1), np.random.SeedSequence(2)), (Ridge(1.0), Ridge(2.0)), (Slotted(1), Slotted(2)),
    (Counter("aab"), Counter("ab")), (sparse.eye_array(2).tocsr(), 2 * sparse.eye_array(2).tocsr()),
]  # fmt: skip


@pytest.mark.parametrize(("one", "two"), SAME, ids=[str(i) for i in range(len(SAME))])
def test_the_same_has_one_mark(one, two):
    assert fingerprint(one) == fingerprint(two)


@pytest.mark.parametrize(("one", "two"), OTHER, ids=[str(i) for i in range(len(OTHER))])
def test_another_has_another_mark(one, two):
    assert fingerprint(one) != fingerprint(two)


def test_marks_are_the_same_in_another_process():
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_store as t; "
        "print(t.fingerprint(t.FRAME, t.DATA, t.Model(2.0), t.closing(1.0), {'b', 'a'}, t.Options((0, 1), 2)))"
    )
    marks = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True,
                       env=os.environ | {"PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(marks) == 1


def test_a_thing_that_holds_itself_ends():
    ring: list = [1]
    ring.append(ring)
    other: list = [2]
    other.append(other)
    assert fingerprint(ring) != fingerprint(other)


def test_what_cannot_be_told_apart_is_refused(tmp_path):
    with open(tmp_path / "f", "w", encoding="utf-8") as file:
        for thing in (file, threading.Lock(), (k for k in range(3))):
            with pytest.raises(InputError, match="nothing to tell it from another"):
                fingerprint({"a": thing})


def a_dataset() -> xr.Dataset:
    return xr.Dataset(
        {
            "x": (("time", "site"), np.random.default_rng(0).random((3, 2))),
            "why": ("site", np.array(["", "ü"], object)),
        },
        {"time": pd.date_range("2001-01-01", periods=3), "site": ["p", "q"]},
        {"title": "soil"},
    )  # fmt: skip


def fail_at_once(folder: Path) -> None:
    with Store(folder) as store:
        store.claim({"seed": 1})
        raise ZeroDivisionError


def never():
    raise AssertionError("what is kept is read, not made again")


def test_kept_once_and_read_back(tmp_path):
    with Store(tmp_path / "run") as store:
        made = store.once("deep/x", {"seed": 1}, a_dataset)
        xr.testing.assert_identical(made, store.once("deep/x", {"seed": np.int64(1)}, never))
    xr.testing.assert_identical(made, a_dataset())
    assert list(made.variables) == list(a_dataset().variables)
    assert list(store.read("deep/x").variables) == list(a_dataset().variables)
    xr.testing.assert_identical(made, xr.load_dataset(tmp_path / "run/deep/x.nc"))  # as anybody reads it
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["deep"]
    assert list(Store(tmp_path / "run").names("deep")) == ["deep/x"]


@pytest.mark.parametrize("card", [{"seed": 2}, {"seed": 1, "n": 1}, {}])
def test_another_card_is_made_again(tmp_path, card):
    store = Store(tmp_path)
    store.once("x", {"seed": 1}, a_dataset)
    again = store.once("x", card, lambda: a_dataset().assign(y=1))
    assert "y" in again and "y" in store.once("x", card, never)


def test_another_version_is_another_run(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.claim({"seed": 1})
    store.once("x", {}, a_dataset)
    monkeypatch.setattr("landcarbon.__version__", "99")
    assert store.read("x", {}) is None
    with pytest.raises(InputError, match="a run with landcarbon = "):
        store.claim({"seed": 1})


def test_a_folder_is_for_one_run(tmp_path):
    store = Store(tmp_path)
    store.claim({"seed": 1, "model": clm5, "name": "x"}, "seed and model")
    store.claim({"seed": 1.0, "model": clm5, "name": "x"})
    others = (({"seed": 2}, "seed = 1, not 2"), ({"model": np}, "model = "), ({"more": 1}, "more = None, not 1"))
    for other, words in others:
        with pytest.raises(InputError, match=words):
            store.claim({"seed": 1, "model": clm5, "name": "x"} | other, "seed and model")
    with pytest.raises(InputError, match="name = x, not None"):
        store.claim({"seed": 1, "model": clm5})
    (tmp_path / "run.json").write_text('{"err', encoding="utf-8")
    with pytest.raises(InputError, match=r"run\.json cannot be read"):
        store.claim({"seed": 1})


@pytest.mark.parametrize("part", range(12))
def test_a_flipped_bit_is_noticed_and_made_again(tmp_path, part):
    store = Store(tmp_path)
    good = store.once("x", {"seed": 1}, a_dataset)
    content = bytearray(store.path("x").read_bytes())
    content[part * (len(content) - 1) // 11] ^= 4
    store.path("x").write_bytes(content)
    with pytest.warns(UserWarning, match="was damaged after it was written"):
        again = store.once("x", {"seed": 1}, a_dataset)
    xr.testing.assert_identical(again, good)
    xr.testing.assert_identical(store.once("x", {"seed": 1}, never), good)


@pytest.mark.parametrize("size", [0, 10, 5000])
def test_a_file_cut_short_is_made_again(tmp_path, size):
    store = Store(tmp_path)
    good = store.once("x", {}, a_dataset)
    store.path("x").write_bytes(store.path("x").read_bytes()[:size])
    with pytest.warns(UserWarning, match="damaged"):
        xr.testing.assert_identical(store.once("x", {}, a_dataset), good)


def test_a_run_that_failed_at_once_frees_its_folder(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fail_at_once(tmp_path / "a/b")
    assert not (tmp_path / "a").exists()
    with Store(tmp_path / "a/b") as store:
        store.claim({"seed": 2})


def test_a_run_that_kept_something_keeps_its_folder(tmp_path):
    Store(tmp_path / "a").once("x", {}, a_dataset)
    with pytest.raises(ZeroDivisionError):
        fail_at_once(tmp_path / "a")
    with pytest.raises(InputError, match="seed = 1, not 2"):
        Store(tmp_path / "a").claim({"seed": 2})


def test_files_of_others_are_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ZeroDivisionError):
        fail_at_once(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


HOLD = """
import sys, time
from landcarbon.store import Store
with Store(sys.argv[1]) as store:
    store.claim({"seed": 1})
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_process_at_a_time_and_none_is_left_behind(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, encoding="utf-8")
    try:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"another process .{other.pid} on "), Store(tmp_path):
            pass
    finally:
        other.kill()
        other.wait()
    assert (tmp_path / ".lock").exists()  # what a dead process leaves holds nobody up
    with Store(tmp_path) as store:
        store.claim({"seed": 1})
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


RACE = """
import sys, time
from landcarbon.matrix.errors import InputError
from landcarbon.store import Store
for _ in range(150):
    try:
        with Store(sys.argv[1]) as store:
            path = store.folder / "count"
            n = int(path.read_text(encoding="utf-8")) if path.exists() else 0
            time.sleep(0.0005)
            path.write_text(str(n + 1), encoding="utf-8")
            print("counted")
    except InputError:
        time.sleep(0.001)
"""


def test_many_processes_never_hold_it_together(tmp_path):
    runs = [subprocess.Popen([sys.executable, "-c", RACE, str(tmp_path)], stdout=subprocess.PIPE, encoding="utf-8")
            for _ in range(3)]  # fmt: skip
    counted = sum(run.communicate(timeout=120)[0].count("counted") for run in runs)
    assert all(run.returncode == 0 for run in runs)
    assert int((tmp_path / "count").read_text(encoding="utf-8")) == counted > 0


def test_a_store_inside_a_store_and_one_that_is_entered_twice(tmp_path):
    with Store(tmp_path) as store, store, Store(tmp_path / "inside") as inside:
        inside.once("x", {}, a_dataset)
        with pytest.raises(InputError, match="another process"), Store(tmp_path):
            pass
    assert not list(tmp_path.rglob(".lock"))


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files is POSIX")
@pytest.mark.parametrize("size", [0, 100, 4096, 10000])
def test_a_full_disk_ends_in_a_sentence_and_leaves_nothing(tmp_path, size):
    code = f"""
import resource, sys
import xarray as xr
from landcarbon.matrix.errors import InputError
from landcarbon.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
try:
    with Store(sys.argv[1]) as store:
        store.once("x", {{}}, lambda: xr.Dataset({{"x": ("n", [1.0])}}))
except InputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "x.nc cannot be written to" in done.stdout and "make room and call again" in done.stdout
    assert not [p for p in tmp_path.rglob("*") if p.suffix in (".nc", ".part")]
    Store(tmp_path).once("x", {}, a_dataset)


def test_a_kill_while_it_writes_leaves_the_old_result_or_the_new(tmp_path):
    code = """
import sys
import numpy as np, xarray as xr
from landcarbon.store import Store
store = Store(sys.argv[1])
store.write("x", {}, xr.Dataset({"x": ("n", np.zeros(200_000))}))
print("up", flush=True)
while True:
    store.write("x", {}, xr.Dataset({"x": ("n", np.full(200_000, np.random.random()))}))
"""
    rng = np.random.default_rng()
    for _ in range(3):
        run = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, encoding="utf-8")
        assert run.stdout is not None and run.stdout.readline() == "up\n"
        time.sleep(0.1 * rng.random())
        run.kill()
        run.wait()
        found = Store(tmp_path).read("x", {})
        assert found is not None and np.ptp(found.x.values) == 0.0


def test_shortage_is_told_from_a_fault():
    with pytest.raises(MemoryError) as caught:
        np.empty(2**55)
    assert short(caught.value)
    assert all(short(OSError(getattr(errno, n), "")) for n in ("ENOSPC", "EFBIG", "ENOMEM", "EMFILE"))
    assert not any(map(short, (ValueError(), OSError(errno.ENOENT, ""), None)))


def test_a_disk_that_knows_no_locks_does_without(tmp_path, monkeypatch):
    def unsupported(handle):
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(store_module, "_lock", unsupported)
    with Store(tmp_path) as store:
        store.once("x", {}, a_dataset)
    assert [p.name for p in tmp_path.iterdir()] == ["x.nc"]


def test_groups_of_one_file(tmp_path):
    (tmp_path / "all.nc").write_bytes(to_netcdf({"one": a_dataset(), "two": a_dataset()[["x"]]},
                                                {"one": {"x": {"dtype": "float32", "zlib": True}}}))  # fmt: skip
    one, two = (xr.load_dataset(tmp_path / "all.nc", group=g) for g in ("one", "two"))
    assert one.x.dtype == "float32"
    xr.testing.assert_identical(two, a_dataset()[["x"]])


@pytest.mark.parametrize("name", ["file", "file/below", "n" * 300])
def test_a_folder_that_cannot_be_one(tmp_path, name):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="results cannot be written"), Store(tmp_path / name):
        pass
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
