"""The course in a browser: a JupyterLite site beside the pages, in which Python runs in the reader's tab.

::

    site/lite/              JupyterLite, with exercises, solutions and chapters as its files
    site/lite/static/pyodide/pyodide-lock.json     what can be imported, from where, with which hash

``python course.py lite`` builds it under the built book and ``python course.py serve`` shows both on
this machine. Python for the browser (Pyodide) comes from its official distribution, by an address with
a version in it, or from a folder of the same files (``--pyodide FOLDER``), which are then copied so that
no other host is asked. Wheels that the distribution lacks are named in ``requirements-browser.txt``; this
library and the data whose licence allows it are packed into two more.

A package is fetched when it is first imported, see `landcarbon.course.in_browser`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from email.parser import HeaderParser
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import landcarbon
from landcarbon.course.say import say
from landcarbon.datasets.registry import entries, local_file
from landcarbon.matrix.errors import InputError
from landcarbon.store import to_netcdf3

__all__ = ["build", "freely_given", "serve", "wheel"]

PYODIDE = "https://cdn.jsdelivr.net/pyodide/v314.0.6/full/"
PYTHON = "3.14"
KERNEL = ("ipython", "jedi", "comm", "ipywidgets", "micropip", "packaging")
"""What the kernel itself asks for, beside what this library imports."""

ABSENT = {
    "netcdf4",
    "h5py",
    "h5netcdf",
    "jupyterlab-widgets",
    "widgetsnbextension",
    "requests",
    "ipykernel",
}
"""Nothing of these works in a browser, or its page has it already."""

AUTOSAVE = 10
"""Seconds after which an answer is kept; what "My progress" shows and a reload finds is what was kept."""

CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
ON_FIRST_IMPORT = {"landcarbon-data": ["landcarbon_data", "landcarbon.datasets"]}
DATA_FOLDER = f"/lib/python{PYTHON}/site-packages/landcarbon_data"

HDF5 = b"\x89HDF"

TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".css": "text/css",
         ".json": "application/json", ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8"}  # fmt: skip

Lock = dict[str, Any]


def build(root: Path, out: Path, pyodide: str = PYODIDE) -> None:
    """Build the site.

    Parameters
    ----------
    root : path
        The course folder.
    out : path
        Where the site goes; what is there is replaced.
    pyodide : str
        Address of a Pyodide distribution, or a folder that holds one.

    Raises
    ------
    InputError
        The distribution is not there, or lacks a package.
    """
    work = root / "_build" / "lite"
    shutil.rmtree(work, ignore_errors=True)
    static = work / "pyodide"
    static.mkdir(parents=True)
    local = Path(pyodide) if "://" not in pyodide else None
    lock = _lock(local, pyodide)
    packages = lock["packages"]
    packages.update(_add(static, _fetch(root, _pins(root / "requirements-browser.txt"))))
    if local:
        _gather(root, local, static, packages)
    else:
        for package in packages.values():
            if not (static / package["file_name"]).is_file():
                package["file_name"] = pyodide + package["file_name"]
    packages.update(_add(static, _own_wheels(root, static)))
    for name, imports in ON_FIRST_IMPORT.items():
        packages[name]["imports"] = imports
    packages["landcarbon"]["depends"] = ["numpy"]  # the rest comes when it is imported
    (static / "pyodide-lock.json").write_text(json.dumps(lock), encoding="utf-8")
    _settings(work, "./static/pyodide/pyodide.mjs" if local else f"{pyodide}pyodide.mjs")
    _contents(root, work / "contents")
    command = [sys.executable, "-c", "from jupyterlite_core.app import main; main()", "build", "--lite-dir", str(work),
               "--contents", str(work / "contents"), "--output-dir", str(work / "site"), "--no-sourcemaps",
               "--apps", "lab", "--apps", "notebooks", "--apps", "tree"]  # fmt: skip
    if subprocess.call(command, cwd=work):
        raise InputError("JupyterLite could not be built; the lines above say why.")
    shutil.copytree(static, work / "site" / "static" / "pyodide")
    shutil.rmtree(out, ignore_errors=True)
    shutil.move(work / "site", out)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    say(f"The course for a browser: {out}, {size / 1e6:.0f} MB, Python from {local or pyodide}")


# packages


def _lock(local: Path | None, pyodide: str) -> Lock:
    """The list of packages of a distribution."""
    try:
        if local:
            return json.loads((local / "pyodide-lock.json").read_text(encoding="utf-8"))
        with urlopen(f"{pyodide}pyodide-lock.json", timeout=60) as answer:
            return json.load(answer)
    except OSError as error:
        raise InputError(
            f"Pyodide is not at {pyodide} ({error}). Give the folder of its unpacked distribution: "
            "python course.py lite --pyodide FOLDER."
        ) from None


def _pins(file: Path) -> list[str]:
    return re.findall(r"^[\w.-]+==\S+", file.read_text(encoding="utf-8"), re.M)


def _fetch(root: Path, requirements: Iterable[str]) -> list[Path]:
    """Pure wheels, fetched once and kept."""
    cache = root / "_build" / "lite-wheels"
    cache.mkdir(parents=True, exist_ok=True)
    found = {want: _cached(cache, want) for want in requirements}
    missing = [want for want, path in found.items() if path is None]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary", ":all:", "--platform", "any", "--python-version", PYTHON, "-d", str(cache)]  # fmt: skip
    if missing and subprocess.call([*command, *missing]):
        raise InputError(
            f"These wheels could not be fetched: {', '.join(missing)}. Is there a network connection?"
        )
    return [path for want in found if (path := _cached(cache, want))]


def _cached(cache: Path, requirement: str) -> Path | None:
    name, _, version = requirement.partition("==")
    return next((p for p in cache.glob("*.whl") if _key(p.name.split("-")[0]) == _key(name)
                 and p.name.split("-")[1] == version), None)  # fmt: skip


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _add(static: Path, wheels: Iterable[Path]) -> dict[str, Any]:
    """Wheels put beside the list, and their lines in it."""
    lines = {}
    for path in wheels:
        if path.parent != static:
            shutil.copy(path, static)
        name, version = path.name.split("-")[:2]
        with zipfile.ZipFile(path) as file:
            inside = file.namelist()
            about = next(n for n in inside if n.endswith(".dist-info/METADATA"))
            requires = (
                HeaderParser().parsestr(file.read(about).decode("utf-8")).get_all("Requires-Dist")
                or []
            )
        lines[_key(name)] = {
            "name": _key(name), "version": version, "file_name": path.name, "install_dir": "site",
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "package_type": "package",
            "imports": sorted({_module(n) for n in inside if n.endswith(".py")} - {""}),
            "depends": sorted({_key(re.split(r"[^\w.-]", r)[0]) for r in requires if ";" not in r} - ABSENT),
            "unvendored_tests": False,
        }  # fmt: skip
    return lines


def _module(name: str) -> str:
    return (
        "" if ".dist-info/" in name or ".data/" in name else name.split("/")[0].removesuffix(".py")
    )


def _gather(root: Path, local: Path, static: Path, packages: dict[str, Any]) -> None:
    """Copy what the course needs of a distribution, and leave the rest off the list."""
    for name in CORE:
        if not (local / name).is_file():
            raise InputError(
                f"{local} holds no {name}; give the folder of an unpacked Pyodide distribution."
            )
        shutil.copy(local / name, static)
    needed, todo = set(), [*KERNEL, *_dependencies(root), *_pinned_here(static, packages)]
    while todo:
        name = todo.pop()
        if name in needed:
            continue
        if name not in packages:
            raise InputError(
                f"Neither Pyodide nor requirements-browser.txt has the package {name}."
            )
        needed.add(name)
        todo += map(_key, packages[name]["depends"])
    missing = [n for n in needed if not (static / packages[n]["file_name"]).is_file()]
    wheels = [local / packages[n]["file_name"] for n in missing]
    absent = [
        f"{n}=={packages[n]['version']}" for n, path in zip(missing, wheels) if not path.is_file()
    ]
    there = [path for path in wheels if path.is_file()]
    for line in [*_add(static, there).values(), *_add(static, _fetch(root, absent)).values()]:
        packages[line["name"]] |= {key: line[key] for key in ("file_name", "sha256", "version")}
    for name in set(packages) - needed:
        del packages[name]


def _pinned_here(static: Path, packages: Mapping[str, Any]) -> list[str]:
    return [name for name, line in packages.items() if (static / line["file_name"]).is_file()]


def _dependencies(root: Path) -> set[str]:
    """Packages that this library imports, and a browser can."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {_key(re.split(r"[^\w.-]", line)[0]) for line in project["dependencies"]} - ABSENT


def wheel(folder: Path, name: str, version: str, files: Mapping[str, bytes]) -> Path:
    """Write a pure wheel: files by their place in it."""
    stem = f"{name}-{version}"
    info = f"{stem}.dist-info"
    content = dict(files)
    content[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    )
    content[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: landcarbon\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    lines = []
    for place, data in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{place},sha256={digest},{len(data)}\n")
    content[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"]).encode()
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for place, data in content.items():
            file.writestr(zipfile.ZipInfo(place), data, zipfile.ZIP_DEFLATED)
    return path


def _own_wheels(root: Path, folder: Path) -> list[Path]:
    """This library with the quizzes, and the data that may be given on, as a browser can read them."""
    library = {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted((root / "landcarbon").rglob("*"))
               if p.is_file() and p.suffix not in (".pyc", ".nc")}  # fmt: skip
    for quiz in sorted((root / "book" / "quizzes").glob("*.json")):
        library[f"landcarbon/course/quiz_files/{quiz.name}"] = quiz.read_bytes()
    for stored in (root / "landcarbon").rglob("*.nc"):
        place = stored.relative_to(root).with_suffix("").as_posix()
        library |= {f"{place}/{group}.nc": content for group, content in _parts(stored).items()}
    data, about = {"landcarbon_data/__init__.py": b""}, []
    for entry in map(entries().__getitem__, freely_given()):
        path = local_file(entry)
        if path is None:
            say(f"The site goes without {entry.file}: it is not on this machine.")
            continue
        content, how = path.read_bytes(), "unchanged"
        if content.startswith(HDF5):
            content, how = _parts(path)[""], "the same numbers as netCDF 3"
            digest = hashlib.sha256(content).hexdigest()
            registered = library["landcarbon/datasets/registry.csv"].decode("utf-8")
            registered = registered.replace(
                f",{entry.bytes},{entry.sha256},", f",{len(content)},{digest},"
            )
            library["landcarbon/datasets/registry.csv"] = registered.encode()
        data[f"landcarbon_data/{entry.file}"] = content
        about.append(
            f"{entry.file}: {entry.citation}. Licence: {entry.licence}. From {entry.url}, {how}.\n"
        )
    data["landcarbon_data/SOURCES.txt"] = "".join(about).encode()
    return [wheel(folder, name, landcarbon.__version__, files)
            for name, files in (("landcarbon", library), ("landcarbon_data", data))]  # fmt: skip


def _parts(path: Path) -> dict[str, bytes]:
    """The groups of an HDF5 file, each as the bytes of a netCDF-3 file, which SciPy reads."""
    import netCDF4
    import xarray as xr

    with netCDF4.Dataset(path) as file:
        groups = list(file.groups) or [""]
    parts = {}
    for group in groups:
        with xr.open_dataset(path, group=group or None, decode_cf=False, engine="netcdf4") as raw:
            parts[group] = to_netcdf3(raw.load())
    return parts


def freely_given() -> list[str]:
    """Names of the data whose licence, as the registry has it, lets a site hand them on unchanged.

    Examples
    --------
    >>> "isis" in freely_given(), "spruce_obs" in freely_given()
    (True, False)
    """
    free = re.compile(r"\b(CC-BY 4\.0|PDDL|MIT|GPL-[23])\b")
    return [name for name, entry in entries().items() if free.search(entry.licence)]


# the site


def _settings(work: Path, pyodide_url: str) -> None:
    """Settings of JupyterLite: where Python is, and what it finds in its environment."""
    kernel = {
        "pyodideUrl": pyodide_url,
        "disablePyPIFallback": True,
        "loadPyodideOptions": {
            "lockFileURL": "./static/pyodide/pyodide-lock.json",
            "env": {
                "HOME": "/home/pyodide", "LANDCARBON_OFFLINE": "1", "LANDCARBON_DATA_DIR": DATA_FOLDER,
            },
        },
    }  # fmt: skip
    config = {"appName": "Land carbon course", "exposeAppInBrowser": True, "disabledExtensions": [],
              "settingsOverrides": {"@jupyterlab/docmanager-extension:plugin": {"autosaveInterval": AUTOSAVE}},
              "litePluginSettings": {"@jupyterlite/pyodide-kernel-extension:kernel": kernel}}  # fmt: skip
    lite = {"jupyter-lite-schema-version": 0, "jupyter-config-data": config}
    (work / "jupyter-lite.json").write_text(json.dumps(lite, indent=1), encoding="utf-8")


def _contents(root: Path, folder: Path) -> None:
    """Exercises, solutions, chapters and the pages they link to, each in a folder of its name."""
    for source in (
        *root.glob("exercises/*.ipynb"),
        *root.glob("solutions/*.ipynb"),
        *root.glob("book/module*/*.ipynb"),
        *(p for p in root.glob("book/appendix/*.*") if p.suffix in (".ipynb", ".md", ".csv")),
    ):
        target = folder / source.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files with the types a browser asks for, whatever the system has registered for them."""

    def guess_type(self, path: Any) -> str:
        """By the table; what the system has registered comes second."""
        return TYPES.get(os.path.splitext(str(path))[1].lower()) or super().guess_type(path)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """The page of the book for what is not there, as a web host shows it."""
        page = Path(self.directory, "404.html")
        if code != 404 or not page.is_file():
            super().send_error(code, message, explain)
            return
        content = page.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", TYPES[".html"])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a page asks for hundreds of files."""


def serve(folder: Path, port: int = 8000) -> http.server.ThreadingHTTPServer:
    """A server of the folder for this machine alone; the caller starts it with ``serve_forever``."""
    if not (folder / "index.html").is_file():
        raise InputError(f"There is no book in {folder}; make it with: python course.py book.")
    return http.server.ThreadingHTTPServer(
        ("127.0.0.1", port), partial(_Handler, directory=str(folder))
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="course.py")
    verbs = parser.add_subparsers(dest="verb", required=True)
    lite = verbs.add_parser("lite", help="build the course for a browser, beside the pages")
    lite.add_argument(
        "--pyodide", default=os.environ.get("LANDCARBON_PYODIDE", PYODIDE), help="address or folder"
    )
    local = verbs.add_parser("serve", help="show the pages on this machine")
    local.add_argument("--port", type=int, default=8000)
    given = parser.parse_args(arguments)
    root = Path.cwd()
    html = root / "_build" / "html"
    try:
        if given.verb == "lite":
            build(root, html / "lite", given.pyodide)
            return 0
        server = serve(html, given.port)
    except (InputError, OSError) as error:
        say(error, file=sys.stderr)
        return 1
    say(f"The course: http://127.0.0.1:{given.port}/  (Ctrl+C ends it)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
