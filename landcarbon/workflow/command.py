"""The command `landcarbon`, from a terminal.

    landcarbon proda --profiles FILE --out DIR

`FILE` is a tidy CSV of soil profiles, the folder of an unpacked WoSIS snapshot, or the name of a
registered collection ("isis", "afsp", "he2016"); several are joined. `DIR` gets `proda.nc`, `report.html` and
`profiles.csv`. Killed and called again, the command goes on where it stopped.

    landcarbon project --run DIR --out DIR

takes the maps of a finished run through scenarios of climate to 2100 (`landcarbon.workflow.project`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from landcarbon.course.say import say
from landcarbon.matrix.errors import InputError

__all__ = ["main"]

HELP = {
    "error": "standard deviation of ln carbon as measured",
    "n_members": "size of the ensemble of each site",
    "n_iter": "steps of the ensemble smoother",
    "n_rounds": "most rounds by which the prior is learnt from what the sites have in common",
    "n_networks": "members of the network ensemble",
    "n_folds": "folds of the cross-validation",
    "block": "edge of the blocks that are left out [degrees] (default: at most 2, for twenty blocks)",
    "n_draws": "parameter draws a site for predictions",
    "depth": "stocks down to this depth [m]",
    "grid": "step of the map [degrees]",
    "box": "the map: west south east north [degrees]",
    "seed": "of everything random",
    "twin": "replace carbon by that of a synthetic world whose truth is known: what would these data find?",
    "everywhere": "show the map also where the environment is unlike any that was learned from",
}


def main(words: Sequence[str] | None = None) -> int:
    """Read the words of the command line and run.

    Returns
    -------
    int
        0; 2 where the input cannot be used; 3 where the run ended without a map; 130 where it was stopped.
    """
    given = vars(_parser().parse_args(words))
    from landcarbon.datasets import DataUnavailable

    try:
        mapped = {"proda": _proda, "project": _project}[given["verb"]](given)
    except (InputError, DataUnavailable) as error:
        say(f"landcarbon: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, say
        where = f"{error.filename}: " if error.filename else ""
        say(f"landcarbon: {where}{error.strerror or error}. What was finished is kept.", file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f"landcarbon: memory was short ({error}). What was finished is kept; take fewer --jobs or "
              "--members.", file=sys.stderr)  # fmt: skip
        return 2
    except KeyboardInterrupt:
        print("landcarbon: stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    return 0 if mapped else 3


def _parser() -> argparse.ArgumentParser:
    from landcarbon.workflow.region import Plan

    parser = argparse.ArgumentParser(prog="landcarbon", description="The land carbon course as a tool.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser(
        "proda",
        help="soil profiles to parameters, maps and a report",
        description="Assimilate every profile, learn parameters from the environment, map carbon, and "
        "say with what skill. Killed and called again, it goes on where it stopped.",
    )
    verb.add_argument("--profiles", nargs="+", required=True, metavar="FILE",
                      help="tidy CSV, WoSIS folder, or a name: isis, afsp, he2016")
    verb.add_argument("--out", required=True, metavar="DIR", help="folder of this run")
    verb.add_argument("--climate", metavar="FILE.nc", help="instead of the half-degree climate of BIOME4")
    verb.add_argument("--environment", metavar="FILE.nc", help="more covariates over latitude and longitude")
    verb.add_argument("--at", metavar="FILE.csv", help="places to predict, columns latitude and longitude: at.csv")
    verb.add_argument("--dry-run", action="store_true", help="say what would be done and how long it would take")
    verb.add_argument("--summary", metavar="FILE.nc", help="also write scores, map and shares, small")
    verb.add_argument("--jobs", type=int, default=-1, help="processes; -1 for all cores (default)")
    verb.add_argument("--scheduler", metavar="ADDRESS",
                      help="Dask scheduler (tcp://host:8786) whose workers do the work, instead of processes here")
    verb.add_argument("--min-layers", type=int, default=3, help="fewest layers a profile needs (default: 3)")
    verb.add_argument("--sep", help="mark between the columns of a CSV (default: found out)")
    verb.add_argument("--decimal", help="decimal mark of a CSV (default: found out)")
    for field in fields(Plan):
        if field.name in ("twin", "everywhere"):
            verb.add_argument(f"--{field.name}", action="store_true", help=HELP[field.name])
            continue
        value = None if field.default is MISSING else field.default
        options: dict[str, Any] = {"default": value, "type": type(value) if value is not None else float}
        shown = "" if value is None else f" (default: {value})"
        if field.name == "box":
            options |= {"nargs": 4, "metavar": ("WEST", "SOUTH", "EAST", "NORTH")}
        flag = "--steps" if field.name == "n_iter" else "--" + field.name.removeprefix("n_")
        verb.add_argument(flag, dest=field.name, help=HELP[field.name] + shown, **options)
    _of_projection(verbs.add_parser(
        "project",
        help="the maps of a finished run under another climate",
        description="Take the learned columns of a finished run through scenarios of temperature, moisture and "
        "litter, and say who owns the spread.",
    ))  # fmt: skip
    return parser


def _of_projection(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--run", required=True, metavar="DIR", help="folder of the finished run")
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for project.nc and project.html")
    verb.add_argument("--climate", metavar="FILE.nc", help="that of the run, if it was not BIOME4's")
    verb.add_argument("--scenarios", metavar="FILE.nc",
                      help="warming [K], moisture and input [1] over scenario and year (default: ramps, steps)")
    for name, value, text in (("places", 200, "cells"), ("draws", 5, "parameter sets a network"),
                              ("until", 2100, "last year"), ("seed", 0, HELP["seed"])):  # fmt: skip
        verb.add_argument(f"--{name}", type=int, default=value, help=f"{text} (default: {value})")


def _project(given: dict[str, Any]) -> bool:
    from landcarbon.workflow.project import project_run

    more = {} if given["scenarios"] is None else {"scenarios": _grid(given["scenarios"])}
    project_run(
        given["run"], given["out"], climate=_grid(given["climate"]), n_places=given["places"],
        n_draws=given["draws"], until=given["until"], seed=given["seed"], tell=say, **more,
    )  # fmt: skip
    return True


def _proda(given: dict[str, Any]) -> bool:
    """Whether there is a map."""
    from landcarbon.assimilation.runs import some_jobs
    from landcarbon.datasets.profiles import join_profiles
    from landcarbon.workflow.region import Plan, expected, run, summary, write

    options = {field.name: given[field.name] for field in fields(Plan)}
    if options["box"] is not None:
        options["box"] = tuple(options["box"])
    plan = Plan(**options)
    some_jobs(given["jobs"])
    if given["summary"] is not None:
        _free(Path(given["summary"]), given)
    profiles = join_profiles(*(_profiles(name, given) for name in given["profiles"]))
    around = {"climate": _grid(given["climate"]), "environment": _grid(given["environment"]), "n_jobs": given["jobs"]}
    if given["dry_run"]:
        for line in expected(profiles, plan, **around):
            say(line)
        return True
    with _cluster(given["scheduler"]):
        result = run(profiles, given["out"], plan, at=_places(given["at"]), tell=say, **around)
    if given["summary"] is not None:
        write(summary(result), given["summary"])
    return "skipped" not in result["map"].attrs


def _profiles(name: str, given: dict[str, Any]) -> Any:
    from landcarbon.datasets import profile_files, profiles

    min_layers = given["min_layers"]
    path = Path(name)
    if path.is_dir():
        year = 2023 if (path / "wosis_202312_orgc.tsv").exists() else 2019
        read = {2019: profile_files.read_wosis_2019, 2023: profile_files.read_wosis_2023}[year]
        return read(path, min_layers=min_layers)
    if name in profiles.COLLECTIONS and not path.exists():
        return profiles.load_profiles(name, min_layers)
    options = {"sep": given["sep"], "decimal": given["decimal"], "min_layers": min_layers}
    return profile_files.read_profiles_csv(path, **options)


@contextmanager
def _cluster(scheduler: str | None) -> Iterator[None]:
    """Chunks of sites go to the workers of a Dask cluster, if one is named."""
    if scheduler is None:
        yield
        return
    try:
        from dask.distributed import Client
    except ImportError:
        raise InputError('--scheduler needs Dask: pip install "landcarbon[dask]".') from None
    import joblib

    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError):
        raise InputError(f"no Dask scheduler answers at {scheduler}; its log names its address.") from None
    with client, joblib.parallel_config("dask"):
        yield


def _places(path: str | None) -> Any:
    """A table of places; `run` reads its columns."""
    if path is None:
        return None
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}.")
    import pandas as pd

    try:
        return pd.read_csv(path, sep=None, engine="python", encoding="utf-8-sig")
    except (UnicodeError, ValueError) as error:
        raise InputError(f"{Path(path).name} cannot be read as a CSV of places: {error}") from None


def _free(path: Path, given: dict[str, Any]) -> None:
    """Refuse a summary that has no place, or the place of another file of this run."""
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"the summary cannot be written to {path}; give a file in a folder that exists.")
    names = [Path(given["out"]) / "proda.nc", given["climate"], given["environment"], *given["profiles"]]
    if path.resolve() in {Path(name).resolve() for name in names if name is not None}:
        raise InputError(f"the summary would overwrite {path}, which this run needs; give another name.")


def _grid(path: str | None) -> Any:
    import xarray as xr

    if path is None:
        return None
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}.")
    try:
        with xr.open_dataset(path) as data:
            return data.load()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{Path(path).name} cannot be read as netCDF: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
