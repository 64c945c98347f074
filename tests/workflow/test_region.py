"""From a file of profiles to a result file and a report, as a user of the command does it."""

from __future__ import annotations

import io
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from landcarbon import datasets
from landcarbon.datasets import profile_files
from landcarbon.learning import Evaluation
from landcarbon.matrix.errors import InputError
from landcarbon.workflow import region, report
from landcarbon.workflow.command import main

SMALL = ["--members", "20", "--steps", "2", "--networks", "3", "--folds", "3", "--draws", "20", "--jobs", "1"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A synthetic survey with faults, a climate and a clay map over its land, as files."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(4)
    lat, lon = np.arange(30.25, 48, 0.5), np.arange(-119.75, -75, 0.5)
    y, x = np.meshgrid(lat, lon, indexing="ij")
    month = np.arange(12)[:, None, None]
    warm = 22.0 - 0.7 * (y - 30) - 12.0 * np.cos(2 * np.pi * month / 12)
    wet = 30.0 + 60.0 * (x + 120) / 45 + 0.0 * month
    maps = ("month", "latitude", "longitude")
    climate = xr.Dataset(
        {
            "temperature": (maps, warm),
            "precipitation": (maps, wet),
            "sunshine": (maps, np.full_like(warm, 0.55)),
            "water_capacity": (("soil_layer", *maps[1:]), np.full((2, *y.shape), 60.0)),
        },
        coords={"latitude": lat, "longitude": lon},
    )
    climate.to_netcdf(folder / "climate.nc")
    clay = xr.Dataset({"clay": (("lat", "lon"), 20 + 10 * np.sin(x / 5))}, {"lat": lat, "lon": lon})
    clay.to_netcdf(folder / "clay.nc")

    n = 40
    place = np.column_stack([rng.uniform(31, 46, n), rng.uniform(-115, -82, n)])
    rows = []
    for k, (a, b) in enumerate(place):
        surface = np.exp(3.0 + 0.03 * (a - 38) + 0.4 * rng.standard_normal())
        for top, bottom in ((0, 10), (10, 30), (30, 60), (60, 100)):
            carbon = surface * np.exp(-(top + bottom) / 80) * np.exp(0.3 * rng.standard_normal())
            rows.append((f"P{k:02d}", a, b, top, bottom, carbon, 1.3))
    table = pd.DataFrame(
        rows,
        columns=["profile_id", "latitude", "longitude", "upper_depth [cm]", "lower_depth [cm]",
                 "organic_carbon [g/kg]", "bulk_density [g/cm3]"],
    )  # fmt: skip
    table.to_csv(folder / "sound.csv", index=False)
    own = table.set_index("profile_id")
    own.loc["P01", "lower_depth [cm]"] = [25, 45, 75, 100]  # overlapping
    own.loc["P02", "organic_carbon [g/kg]"] /= 40  # percent, and of a poor soil
    own.loc["P03", ["latitude", "longitude"]] = [-100.0, 40.0]  # swapped
    own.loc["P04", ["latitude", "longitude"]] = [-10.0, 20.0]  # no climate there
    own.reset_index().to_csv(folder / "faulty.csv", index=False)
    return folder


def call(files, profiles, out, *more):
    words = ["proda", "--profiles", str(files / profiles), "--out", str(out), *SMALL]
    return main([*words, "--climate", str(files / "climate.nc"), *more])


@pytest.fixture(scope="module")
def finished(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "one"
    assert call(files, "faulty.csv", out, "--environment", str(files / "clay.nc"), "--grid", "2") == 0
    return out


def test_every_profile_is_accounted_for(finished):
    account = pd.read_csv(finished / "profiles.csv", index_col="profile_id", keep_default_na=False)
    reasons = account["reason"]
    assert len(account) == 40
    assert reasons["P01"] == "overlapping layers"
    assert "in percent?" in account.loc["P02", "note"]
    assert reasons["P03"] == "latitude and longitude swapped"
    assert reasons["P04"] == region.NO_CELL
    assert account["used"].sum() == 37 == (reasons == "").sum()
    result = region.read(finished / "proda.nc")
    about = result["sites"].attrs
    assert about["read"] == 40
    assert about["used"] - about["without_a_cell"] == about["assimilated"] == 37
    counts = dict(zip(result["sites"]["reason"].values, result["sites"]["account_profiles"].values))
    assert counts["read"] == 40 == sum(counts.values()) - counts["read"]


def test_the_result_is_labelled_and_finite(finished):
    result = region.read(finished / "proda.nc")
    assert set(result) == set(region.GROUPS)
    assert "truth is not known" in result["truth"].attrs["skipped"]
    sites, cells = result["sites"], result["map"]
    assert sites.sizes["parameter"] == 21
    assert sites["latitude"].attrs["units"] == "degrees_north"
    assert cells["stock"].attrs["units"] == "kgC m-2"
    np.testing.assert_allclose(np.diff(cells["longitude"]), 2.0)
    stock = cells["stock"].values
    good = np.isfinite(stock)
    assert good.sum() > 50
    low, high = cells["stock_lower"].values[good], cells["stock_upper"].values[good]
    assert (low <= stock[good]).all()
    assert (stock[good] <= high).all()
    np.testing.assert_allclose(result["control"]["share"].sum("component"), 1.0, rtol=1e-6)
    scores = result["evaluation"]
    assert np.isfinite(scores["score_r2"]).all()
    # What is learned at a place that was left out is another thing than what its profile says.
    at = scores["score_r2"].sel(approach=["proda", "hybrid", "own_profile"]).values
    assert at[:2].max() < at[2]
    assert 0.5 < float(scores["score_coverage"].sel(approach="hybrid")) <= 1.0
    ends = result["end_to_end"]["stock"]
    assert np.array_equal(np.isfinite(ends), np.isfinite(cells["stock"])) and not np.allclose(ends, cells["stock"])


def test_a_summary_is_small_and_names_no_profile(finished, tmp_path):
    result = region.read(finished / "proda.nc")
    region.write(region.summary(result), tmp_path / "small.nc")
    small = region.read(tmp_path / "small.nc")
    assert all("site" not in data.dims for data in small.values())
    assert "P05" not in str((tmp_path / "small.nc").read_bytes())
    assert (tmp_path / "small.nc").stat().st_size < 150_000
    xr.testing.assert_equal(small["evaluation"]["score_r2"], result["evaluation"]["score_r2"])
    assert "proda" in Evaluation.from_dataset(small["evaluation"]).table.index
    xr.testing.assert_identical(small["efficiency"], result["efficiency"])
    whole = result["evaluation"]
    off = whole["predicted"].sel(approach="proda") - whole["observed"]
    upper = off.where(whole["depth"] < 0.1).mean()
    bias = small["evaluation"]["depth_bias"].sel(approach="proda")
    np.testing.assert_allclose(bias.sel(band="0 to 0.1 m"), upper, rtol=1e-5)
    assert np.isnan(bias.sel(band="2 to 10 m"))
    for name in ("map", "end_to_end"):
        for variable in ("stock", "parameters"):
            xr.testing.assert_allclose(small[name][variable], result[name][variable], rtol=1e-3)
    xr.testing.assert_identical(small["control"], result["control"])


def test_the_map_shows_nothing_where_nothing_was_learned(files, finished, tmp_path):
    """Asked for all the land, it shows the part that is like the profiles' places; asked for everywhere, all of it."""
    result = region.read(finished / "proda.nc")["map"]
    shown = np.isfinite(result["stock"].values)
    about = result.attrs
    assert shown.sum() == about["shown"] < about["land"] == np.isfinite(result["dissimilarity"].values).sum()
    np.testing.assert_array_equal(shown, result["dissimilarity"].values <= about["threshold"])
    members = result["member_parameters"].transpose("latitude", "longitude", ...).values
    assert np.isnan(members[~shown]).all()
    assert np.isfinite(members[shown]).all()
    out = tmp_path / "copy"
    shutil.copytree(finished, out)
    words = ("--environment", str(files / "clay.nc"), "--grid", "2", "--everywhere")
    assert call(files, "faulty.csv", out, *words) == 0
    everywhere = region.read(out / "proda.nc")["map"]
    assert everywhere.attrs["shown"] == about["land"]
    xr.testing.assert_equal(everywhere["stock"].where(shown), result["stock"])
    page = _Page((finished / "report.html").read_text(encoding="utf-8")).text
    assert f"{about['shown']} of the {about['land']} on land are shown" in page
    median = np.nanmedian(result["stock"].values)
    assert f"median {median:.1f}" in (finished / "report.html").read_text(encoding="utf-8")


class _Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.pictures, self.links, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "img":
            self.pictures.append(given)
        self.links += [v for k, v in given.items() if k in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_the_report_is_one_page_that_needs_nobody(finished):
    page = _Page((finished / "report.html").read_text(encoding="utf-8"))
    assert len(page.pictures) >= 6
    assert all(len(p["alt"].split()) > 5 for p in page.pictures)
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert "40 profiles were read" in page.text
    assert re.search(r"\d+ notes? on the profiles", page.text)
    assert "in percent?" in page.text
    assert not re.search(r"\bnan\b|\binf\b", page.text, re.I)
    again = report.page(region.read(finished / "proda.nc"))
    assert len(again) == pytest.approx(len((finished / "report.html").read_text("utf-8")), rel=0.05)


def test_a_finished_run_is_not_done_again_and_another_grid_keeps_the_sites(
    files, finished, tmp_path, capsys
):
    out = tmp_path / "copy"
    shutil.copytree(finished, out)
    before = region.read(out / "proda.nc")
    stamp = (out / "work/sites/round2/sites.nc").stat().st_mtime_ns
    assert call(files, "faulty.csv", out, "--environment", str(files / "clay.nc"), "--grid", "4") == 0
    after = region.read(out / "proda.nc")
    assert (out / "work/sites/round2/sites.nc").stat().st_mtime_ns == stamp
    xr.testing.assert_identical(before["evaluation"], after["evaluation"])
    assert after["map"].attrs["grid"] == 4.0
    assert call(files, "sound.csv", out) == 2
    assert "holds a run with profiles" in capsys.readouterr().err


def test_places_asked_for_get_what_the_map_says(files, finished, tmp_path):
    """In the middle of a cell the climate is another, so the middles of two cells of the map's grid are asked."""
    result = region.read(finished / "proda.nc")
    cells = {name: result[name]["stock"].stack(site=("latitude", "longitude")) for name in ("map", "end_to_end")}
    shown = cells["map"].dropna("site")
    one = shown.isel(site=3)
    table = pd.DataFrame([("=seen", float(one.latitude), float(one.longitude)), ("sea", 0.0, 0.0)])
    table.set_axis(["name", "latitude", "longitude"], axis=1).to_csv(tmp_path / "places.csv", index=False)
    out = tmp_path / "copy"
    shutil.copytree(finished, out)
    words = ("--environment", str(files / "clay.nc"), "--grid", "2", "--at", str(tmp_path / "places.csv"))
    assert call(files, "faulty.csv", out, *words) == 0
    found = pd.read_csv(out / "at.csv", keep_default_na=False)
    assert found["name"].tolist() == ["'=seen", "sea"]
    assert found["note"].tolist() == ["", region.NO_CELL]
    for method, group in (("proda", "map"), ("end_to_end", "end_to_end")):
        low, said, high = (float(found[f"{method}_stock{end} [kgC m-2]"][0]) for end in ("_lower", "", "_upper"))
        assert low < said < high
        np.testing.assert_allclose(said, cells[group].sel(site=one.site.item()), rtol=0.2)
        assert found[f"{method}_stock [kgC m-2]"][1] == ""


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(files, tmp_path, capsys):
    out = tmp_path / "none"
    assert call(files, "sound.csv", out, "--dry-run") == 0
    said = capsys.readouterr().out
    assert not out.exists()
    for words in ("read", "blocks of 2° in 3 folds", "land cells of", "minutes with 1 process(es)", "MB"):
        assert words in said
    assert call(files, "sound.csv", out, "--dry-run", "--block", "20") == 0
    assert "fewer than 10 blocks carry no interval; try --block 5" in capsys.readouterr().out


def test_a_cluster_gives_the_same_bits(files, finished, tmp_path, capsys):
    distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    words = ("--environment", str(files / "clay.nc"), "--grid", "2", "--jobs", "-1")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        assert call(files, "faulty.csv", tmp_path / "out", *words, "--scheduler", cluster.scheduler_address) == 0
    there, here = (region.read(folder / "proda.nc") for folder in (tmp_path / "out", finished))
    for group in region.GROUPS:
        once, again = (run[group].drop_vars("score_seconds", errors="ignore") for run in (here, there))
        xr.testing.assert_equal(again, once)
    assert not list((tmp_path / "out").rglob("*.pickle"))
    assert call(files, "sound.csv", tmp_path / "no", "--scheduler", "tcp://127.0.0.1:1") == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in capsys.readouterr().err


def test_a_killed_run_ends_with_the_same_bits(files, finished, tmp_path, monkeypatch):
    """Killed between the second round of the sites and that of the folds, then in the map."""
    out = tmp_path / "killed"
    words = (files, "faulty.csv", out, "--environment", str(files / "clay.nc"), "--grid", "2")
    for name in ("_evaluate", "_map"):
        with monkeypatch.context() as patch:
            patch.setattr(region, name, _interrupt)
            assert call(*words) == 130
    assert call(*words) == 0
    one, two = region.read(finished / "proda.nc"), region.read(out / "proda.nc")
    for name in region.GROUPS:
        for data in (one, two):
            data[name] = data[name].drop_vars("score_seconds", errors="ignore")
            data[name].attrs.pop("seconds", None)
        xr.testing.assert_identical(one[name], two[name])


def _interrupt(*_, **__):
    raise KeyboardInterrupt


def test_fewer_blocks_than_folds_leave_out_skill_and_map(files, tmp_path, capsys):
    few = pd.read_csv(files / "sound.csv")
    few[few["profile_id"] < "P14"].to_csv(tmp_path / "few.csv", index=False)
    words = ["proda", "--profiles", str(tmp_path / "few.csv"), "--out", str(tmp_path / "out"), *SMALL]
    climate = ["--climate", str(files / "climate.nc"), "--folds", "20", "--grid", "2"]
    assert main([*words, *climate]) == 3
    result = region.read(tmp_path / "out/proda.nc")
    assert "folds" in result["evaluation"].attrs["skipped"]
    assert result["map"].attrs["skipped"].startswith("No map, since nothing says how far")
    assert np.isfinite(result["default"]["total"]).all()
    assert "Left out:" in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "folds" in capsys.readouterr().out


def test_blocks_are_as_large_as_the_spread_of_the_places_allows(files, tmp_path, capsys):
    one_farm = pd.read_csv(files / "sound.csv")
    one_farm["latitude"] = 40.0 + (one_farm["latitude"] - 38.5) / 20
    one_farm["longitude"] = -100.0 + (one_farm["longitude"] + 98.0) / 20
    one_farm.to_csv(tmp_path / "farm.csv", index=False)
    for table, size in ((files / "sound.csv", "2"), (tmp_path / "farm.csv", "0.1")):
        words = ["proda", "--profiles", str(table), "--out", str(tmp_path / "out"), "--dry-run", *SMALL]
        assert main([*words, "--climate", str(files / "climate.nc")]) == 0
        assert f"blocks of {size}° in 3 folds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--folds", "1"], "n_folds must be a whole number, at least 2"),
        (["--error", "0"], "error"),
        (["--box", "10", "50", "5", "60"], "box is"),
        (["--environment", "absent.nc"], "there is no file absent.nc"),
        (["--climate", __file__], "cannot be read as netCDF"),
    ],
)
def test_wrong_options_end_in_a_sentence(files, tmp_path, capsys, more, words):
    assert call(files, "sound.csv", tmp_path / "out", *more) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.startswith("landcarbon: ")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--grid", "1000"], "grid must be at most 45"),
        (["--grid", "0.001", "--box", "-120", "30", "-80", "48"], "more than memory holds"),
        (["--box", "-40", "10", "-30", "20"], "no land cell"),
        (["--depth", "100"], "depth must be at most 8.6"),
        (["--jobs", "0"], "number of processes"),
        (["--min-layers", "0"], "min_layers must be a whole number"),
        (["--summary", "absent/small.nc"], "summary cannot be written"),
    ],
)
def test_what_cannot_end_well_does_not_begin(files, tmp_path, capsys, more, words):
    assert call(files, "sound.csv", tmp_path / "out", *more) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out/work").exists()


def test_a_summary_overwrites_nothing_of_the_run(files, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    for target in (out / "proda.nc", files / "climate.nc", files / "sound.csv"):
        assert call(files, "sound.csv", out, "--summary", str(target)) == 2
        assert "would overwrite" in capsys.readouterr().err


def test_a_folder_that_cannot_be_one(files, tmp_path, capsys):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for out in (tmp_path / "file", tmp_path / "file/below", tmp_path / ("n" * 300)):
        assert call(files, "sound.csv", out) == 2
        assert "results cannot be written" in capsys.readouterr().err
    assert (tmp_path / "file").read_text("utf-8") == "mine"
    with pytest.raises(InputError, match="out is empty"):
        region.run(datasets.twin_world(n_sites=5, rng=1).profiles, "")


def test_a_run_speaks_to_a_terminal_without_utf_8(files, tmp_path, monkeypatch):
    said = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr("sys.stdout", said)
    assert call(files, "sound.csv", tmp_path / "out ξ −") == 0
    assert "assimilated 40 profiles" in said.buffer.getvalue().decode("ascii")


def test_a_damaged_piece_is_named_and_done_again(files, finished, tmp_path, capsys):
    out = tmp_path / "copy"
    shutil.copytree(finished, out)
    words = (files, "faulty.csv", out, "--environment", str(files / "clay.nc"), "--grid", "2")
    for name, left in (("default", 1000), ("map", -1)):
        broken = out / f"work/{name}.nc"
        broken.write_bytes(broken.read_bytes()[:left])
    (out / "proda.nc.part").write_bytes(b"half")
    with pytest.warns(UserWarning, match=r"(default|map)\.nc was damaged after it was written"):
        assert call(*words) == 0
    one, two = region.read(finished / "proda.nc"), region.read(out / "proda.nc")
    for name in ("default", "map"):
        xr.testing.assert_identical(one[name], two[name])
    assert not list(out.rglob("*.part"))
    (out / "work/run.json").write_text('{"err', encoding="utf-8")
    assert call(*words) == 2
    assert "run.json cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("error", [ZeroDivisionError("weights"), KeyError("x"), AssertionError()])
def test_a_stage_that_cannot_be_done_is_left_out_whatever_was_raised(
    files, finished, tmp_path, monkeypatch, error
):
    out = tmp_path / "copy"
    shutil.copytree(finished, out)
    (out / "work/control.nc").unlink()

    def broken(*_):
        raise error

    monkeypatch.setattr(region, "_control", broken)
    assert call(files, "faulty.csv", out, "--environment", str(files / "clay.nc"), "--grid", "2") == 0
    result = region.read(out / "proda.nc")
    assert result["control"].attrs["skipped"].startswith(type(error).__name__)
    assert np.isfinite(result["map"]["stock"]).any()
    page = (out / "report.html").read_text("utf-8")
    assert f"Left out: {type(error).__name__}" in page


def test_memory_that_was_short_in_a_stage_is_tried_again(files, finished, tmp_path, monkeypatch):
    out = tmp_path / "copy"
    shutil.copytree(finished, out)
    (out / "work/map.nc").unlink()
    (out / "work/control.nc").unlink()
    words = (files, "faulty.csv", out, "--environment", str(files / "clay.nc"), "--grid", "2")

    def short(*_):
        raise MemoryError("Unable to allocate 9 GiB")

    with monkeypatch.context() as patch:
        patch.setattr(region, "_map", short)
        assert call(*words) == 3
    assert "MemoryError" in region.read(out / "proda.nc")["map"].attrs["skipped"]
    assert call(*words) == 0
    for name in ("map", "control"):
        xr.testing.assert_identical(region.read(out / "proda.nc")[name], region.read(finished / "proda.nc")[name])


def test_a_run_that_failed_at_once_does_not_keep_its_folder(files, tmp_path, capsys):
    out = tmp_path / "out"
    assert call(files, "sound.csv", out, "--members", "100000000000") == 2
    assert "memory or disk was short" in capsys.readouterr().err
    assert not out.exists()


def test_nothing_of_a_result_file_reaches_the_page_as_it_is(finished):
    """Every word of the file, and every number that could be a word, one group after the other."""
    bad = "<script>alert(1)</script>$"
    result = region.read(finished / "proda.nc")
    pages = []
    for name in region.GROUPS:
        data = result[name].copy()
        for attribute in data.attrs:
            pages.append(result | {name: data.assign_attrs({attribute: bad})})
        for coordinate in data.variables:
            if data[coordinate].dtype.kind in "OU":
                words = np.full(data[coordinate].shape, bad, dtype=object)
                pages.append(result | {name: data.assign({coordinate: (data[coordinate].dims, words)})})
    listed = {"notes": json.dumps([bad]), "failed": json.dumps({bad: bad}), "plan": json.dumps({bad: bad}),
              "skipped": bad}  # fmt: skip
    pages += [result | {"sites": result["sites"].assign_attrs({k: v})} for k, v in listed.items()]
    assert len(pages) > 20
    told = 0
    for spoiled in pages:
        try:
            page = report.page(spoiled)
        except (ValueError, KeyError):  # no result file at all
            continue
        told += "&lt;script&gt;" in page
        assert "<script" not in page
    assert told > 5


def test_formulas_in_names_do_not_reach_a_spreadsheet(files, tmp_path):
    table = pd.read_csv(files / "sound.csv", dtype={"profile_id": str})
    names = {"P01": "=HYPERLINK(1)", "P02": "+1", "P03": "-1+2", "P04": "@SUM(A1)", "P05": "plain"}
    table["profile_id"] = table["profile_id"].replace(names)
    read = profile_files.read_profiles_csv
    table.to_csv(tmp_path / "own.csv", index=False)
    account = region._defused(read(tmp_path / "own.csv").report)
    cells = account.to_csv().replace("\n", ",").split(",")
    assert {"'=HYPERLINK(1)", "'+1", "'-1+2", "'@SUM(A1)", "plain"} <= set(cells)
    assert not [cell for cell in cells if cell.strip('"').startswith(("=", "+", "@", "-"))]


def test_a_profile_below_the_column_is_left_out_alone(files):
    world = datasets.twin_world(n_sites=5, rng=1).profiles
    deep = world.layers["profile_id"] == world.ids[2]
    world.layers.loc[deep, ["upper_depth", "lower_depth"]] += 9.0
    kept = region._within_column(world)
    assert kept.report.loc[world.ids[2], "reason"] == region.TOO_DEEP
    assert len(kept) == 4
    world.layers[["upper_depth", "lower_depth"]] += 9.0
    with pytest.raises(InputError, match="another unit"):
        region._within_column(world)


def test_cells_of_a_map_lie_on_the_earth():
    plan = region.Plan(grid=8.0, box=(-180.0, -90.0, 180.0, 90.0))
    lat, lon, _ = region._cells(np.array([]), np.array([]), plan)
    assert np.abs(lat).max() <= 90
    assert np.abs(lon).max() <= 180


def test_a_file_that_is_no_result_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        region.read(tmp_path / "proda.nc")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(InputError, match="no group 'sites'"):
        region.read(tmp_path / "other.nc")


def test_a_twin_of_the_survey_is_held_against_its_truth(files, tmp_path):
    out = tmp_path / "twin"
    assert call(files, "sound.csv", out, "--twin") == 0
    result = region.read(out / "proda.nc")
    assert result["sites"].attrs["synthetic"] == 1
    found, scores = result["truth"], result["evaluation"]
    assert found["approach"].values.tolist() == ["own profile", "PRODA", "end to end"]
    assert "truth" in scores["approach"].values, "the ceiling is a row of the ladder"
    measured = np.isfinite(scores["observed"].values)
    left = (scores["predicted"].sel(approach="truth").values - scores["observed"].values)[measured]
    assert left.std() == pytest.approx(0.6, rel=0.15)
    # What a profile knows most of is found best at its own place.
    order = np.argsort(result["sites"]["information"].mean("site").values)
    own = found["r"].sel(approach="own profile").values[order]
    assert own[-5:].mean() > own[:5].mean() + 0.1
    np.testing.assert_allclose(found["true_share"].sum(), 1.0, rtol=1e-6)
    assert found["map"].values.tolist() == ["PRODA", "end to end"]
    np.testing.assert_allclose(found["share"].sum("component"), 1.0, rtol=1e-6)
    assert found["share"].std("draw").sel(component="transfer").min() > 0.005, "maps differ"
    page = _Page((out / "report.html").read_text(encoding="utf-8")).text
    assert "synthetic" in page and "What was found, against the truth of this twin" in page
    assert "twins of a hundred ISRIC monoliths" in page, "and how often such intervals hold"
    assert call(files, "sound.csv", out) == 2, "the measured survey is another run"


def test_a_twin_leaves_out_places_without_plants(files):
    with xr.open_dataset(files / "climate.nc") as climate:
        barren = climate.load()
    barren["precipitation"] = barren["precipitation"].where(barren["longitude"] > -105, 0.0)
    land = region._place(profile_files.read_profiles_csv(files / "sound.csv", min_layers=3), barren, None)
    kept = region._cut(land, region._growing(land, region.Plan()), region.BARREN)
    left = kept.profiles.report["reason"] == region.BARREN
    assert 0 < left.sum() < 40 and land.covariates.loc[left[left].index, "longitude"].max() < -104.5
    assert len(kept.covariates) == kept.forcing.shape[0] == 40 - left.sum()


def test_a_synthetic_world_is_called_synthetic(files, tmp_path):
    world = datasets.twin_world(n_sites=24, rng=1)
    climate = xr.load_dataset(files / "climate.nc")
    plan = region.Plan(n_members=20, n_iter=1, n_rounds=1, n_networks=2, n_folds=2, n_draws=20, grid=4.0)
    result = region.run(world.profiles, tmp_path, plan, climate=climate, tell=lambda text: None)
    page = report.page(result)
    assert "<h1>Soil carbon by PRODA (synthetic world)</h1>" in page
    assert "nothing was measured" in page
