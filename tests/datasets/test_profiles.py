"""Soil profiles: every one that is read is accounted for, every fault is a sentence."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_data import needs

from landcarbon.datasets import bulk_density as bd
from landcarbon.datasets import profile_files as pf
from landcarbon.datasets import profiles as p
from landcarbon.matrix.errors import InputError


def table(**faults):
    """Five profiles of four layers; `faults` maps a name to what is done to its rows."""
    upper = np.array([0.0, 0.1, 0.3, 0.6])
    parts = []
    for k in range(5):
        name = f"P{k}"
        part = pd.DataFrame(
            {
                "profile_id": name,
                "latitude": 40.0 + k,
                "longitude": -100.0 + k,
                "upper_depth": upper,
                "lower_depth": [0.1, 0.3, 0.6, 1.0],
                "organic_carbon": [30.0, 15.0, 8.0, 4.0 + k],
                "bulk_density": 1300.0,
                "coarse_fragments": 0.0,
            }
        )
        if name in faults:
            part = faults[name](part)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def edit(row, column, value):
    def change(part):
        part = part.copy()
        part.loc[part.index if row is None else row, column] = value
        return part

    return change


def again(rows, **changes):
    return lambda part: pd.concat([part, part.iloc[rows].assign(**changes)])


FAULTS = {
    "no coordinates": edit(None, "latitude", np.nan),
    "latitude and longitude swapped": lambda f: f.assign(latitude=-100.0, longitude=40.0),
    "coordinates out of range": edit(None, "longitude", 260.0),
    "more than one place": edit(2, "latitude", 41.3),
    "depth upside down": lambda f: f.assign(upper_depth=f.lower_depth, lower_depth=f.upper_depth),
    "infinite depth": edit(3, "lower_depth", np.inf),
    "negative carbon": edit(1, "organic_carbon", -1.0),
    "more than 1000 g carbon per kg": edit(0, "organic_carbon", 1400.0),
    "coarse fragments outside 0 to 1": edit(0, "coarse_fragments", 35.0),
    "bulk density outside 20 to 2650 kg m-3": edit(1, "bulk_density", 1.3),
    "two values for one layer": again([1], organic_carbon=2.0),
    "overlapping layers": edit(1, "lower_depth", 0.4),
    "no organic carbon": edit(None, "organic_carbon", np.nan),
    "fewer than 3 layers with organic carbon": edit([0, 1], "organic_carbon", np.nan),
    "more than 250 kg carbon per m3": edit(0, "organic_carbon", 500.0),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_a_faulty_profile_is_dropped_with_its_reason_and_the_rest_goes_on(reason):
    raw = table(P2=FAULTS[reason])
    found = p.make_profiles(raw)
    assert len(found) == 4
    assert found.report.loc["P2", "reason"] == reason
    assert found.report.loc["P2", "layers_used"] == 0
    assert (found.report.drop("P2")["reason"] == "").all()
    assert "P2" not in set(found.layers["profile_id"])
    adds_up(found, raw)


def test_a_repeated_profile_is_used_once():
    raw = table()
    twice = pd.concat([raw, raw[raw.profile_id == "P1"].assign(profile_id="copy")])
    found = p.make_profiles(twice)
    assert found.report.loc["copy", "reason"] == "repeats another profile"
    adds_up(found, twice)


def adds_up(found, raw):
    s = found.summary()
    dropped = s[s.index.str.startswith("dropped")]
    assert s.loc["read", "profiles"] == raw["profile_id"].nunique()
    assert s.loc["read", "profiles"] == s.loc["used", "profiles"] + dropped["profiles"].sum()
    left_out = s.loc["layers of used profiles left out", "layers"]
    assert s.loc["read", "layers"] == len(raw)
    assert s.loc["read", "layers"] == s.loc["used", "layers"] + left_out + dropped["layers"].sum()
    assert s.loc["used", "layers"] == len(found.layers)
    assert list(found.layers["profile_id"].unique()) == found.ids == list(found.sites.index)
    assert (found.report.loc[~found.report["used"], "reason"] != "").all()


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.sampled_from([f"P{k}" for k in range(4)]), st.sampled_from(sorted(FAULTS))))
def test_counts_add_up_for_any_mixture_of_faults(faults):
    raw = table(**{name: FAULTS[reason] for name, reason in faults.items()})
    found = p.make_profiles(raw)
    assert dict(found.report.loc[~found.report["used"], "reason"]) == faults
    adds_up(found, raw)
    assert np.isfinite(found.layers["carbon_density"]).all()


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("below detection", edit(3, "organic_carbon", 0.0)),
        ("not measured", edit(3, "organic_carbon", np.nan)),
        ("no depth", edit(3, "lower_depth", np.nan)),
        ("all stones", edit(3, "coarse_fragments", 1.0)),
        ("organic layer on top", edit(0, ["upper_depth", "lower_depth"], [-0.05, 0.0])),
        ("exact repeat", again([2])),
    ],
)
def test_a_layer_that_says_nothing_is_left_out_alone(what, change):
    raw = table(P2=change)
    found = p.make_profiles(raw)
    assert len(found) == 5
    read, used = found.report.loc["P2", ["layers_read", "layers_used"]]
    assert (read, used) in ((4, 3), (5, 4))
    adds_up(found, raw)


def test_the_order_of_rows_does_not_matter():
    raw = table()
    mixed = raw.iloc[np.random.default_rng(0).permutation(len(raw))]
    a, b = p.make_profiles(raw), p.make_profiles(mixed)
    key = ["profile_id", "upper_depth"]
    assert a.layers.sort_values(key, ignore_index=True).equals(
        b.layers.sort_values(key, ignore_index=True)
    )
    assert (b.layers.groupby("profile_id")["upper_depth"].diff().dropna() > 0).all()


def test_carbon_density_by_hand():
    # 10 g per kg, 1300 kg per m3, a fifth of the volume stones: 10.4 kg per m3.
    assert bd.carbon_density(10.0, 1300.0, 0.2) == pytest.approx(10400.0)
    found = p.make_profiles(table(P0=edit(None, "coarse_fragments", 0.2)))
    first = found.layers.iloc[0]
    assert first["carbon_density"] == pytest.approx(30 * 1300 * 0.8)
    assert found.layers.attrs["units"]["carbon_density"] == "gC m-3"


def test_missing_density_is_estimated_and_flagged():
    found = p.make_profiles(table(P3=edit(None, "bulk_density", np.nan)))
    estimated = found.layers["bulk_density_estimated"]
    assert set(found.layers.loc[estimated, "profile_id"]) == {"P3"}
    # 16 measured layers are too few for a fit of their own.
    assert found.bulk_density_fit is bd.AFSP_FIT
    own = bd.BulkDensityFit(7.0, -0.05, 0.2, 0.3, 99, "mine")
    other = p.make_profiles(table(P3=edit(None, "bulk_density", np.nan)), bulk_density_fit=own)
    row = other.layers["bulk_density_estimated"]
    assert np.allclose(
        other.layers.loc[row, "bulk_density"],
        np.exp(7.0 - 0.05 * np.sqrt(other.layers.loc[row, "organic_carbon"])),
    )
    assert p.make_profiles(table()).bulk_density_fit is None


def test_the_density_fit_recovers_what_made_the_data():
    rng = np.random.default_rng(1)
    c = rng.lognormal(2, 1, 5000)
    rho = np.exp(7.4 - 0.07 * np.sqrt(c) + 0.15 * rng.standard_normal(5000))
    fit = bd.fit_bulk_density(pd.DataFrame({"organic_carbon": c, "bulk_density": rho}), "made up")
    assert fit.intercept == pytest.approx(7.4, abs=0.01)
    assert fit.slope == pytest.approx(-0.07, abs=0.003)
    assert fit.sd == pytest.approx(0.15, abs=0.005)
    assert "n = 5000" in str(fit)


@needs("afsp")
def test_the_stored_density_fit_is_that_of_the_file():
    from landcarbon.datasets import load

    fit = bd.fit_bulk_density(load("afsp"))
    stored = bd.AFSP_FIT
    assert (fit.n, round(fit.r2, 3)) == (stored.n, stored.r2)
    assert fit.intercept == pytest.approx(stored.intercept, abs=1e-4)
    assert fit.slope == pytest.approx(stored.slope, abs=1e-5)
    assert fit.sd == pytest.approx(stored.sd, abs=1e-4)


@needs("isis")
def test_real_profiles_add_up():
    from landcarbon.datasets import load

    found = p.load_profiles("isis")
    s = found.summary()
    assert s.loc["read", "profiles"] == load("isis")["profile_id"].nunique() == 785
    assert s["profiles"].iloc[1:].sum() == 785
    assert 600 < len(found) < 650
    assert found.report["layers_read"].sum() == s["layers"].iloc[1:].sum()
    assert found.bulk_density_fit.n > 900
    assert not found.synthetic


@needs("isis")
def test_densities_in_rows_of_their_own_reach_their_layers():
    from landcarbon.datasets import load

    raw = load("isis")
    spread = p._spread_bulk_density(raw)
    both = lambda t: (t["organic_carbon"].notna() & t["bulk_density"].notna()).sum()  # noqa: E731
    assert both(spread) > 3 * both(raw)
    assert spread["bulk_density"].between(280, 1860).sum() == spread["bulk_density"].notna().sum()


def test_rings_are_weighted_by_their_overlap():
    raw = pd.DataFrame(
        {
            "profile_id": "A",
            "upper_depth": [0.0, 0.05, 0.15, 0.5],
            "lower_depth": [0.2, 0.10, 0.30, 0.6],
            "organic_carbon": [10.0, np.nan, np.nan, 5.0],
            "bulk_density": [np.nan, 1000.0, 1300.0, np.nan],
        }
    )
    out = p._spread_bulk_density(raw)
    # 5 cm of the first ring and 5 of the 15 cm of the second lie in the layer.
    assert out["bulk_density"].tolist()[0] == pytest.approx(1150.0)
    assert len(out) == 2 and np.isnan(out["bulk_density"].iloc[1])


def test_observations_are_masked_where_a_profile_ends():
    raw = table(P1=lambda f: f.iloc[:3])
    obs = p.make_profiles(raw).to_observations(0.5)
    assert obs.sites == (5,)
    assert obs.mask.sum(axis=1).tolist() == [4, 3, 4, 4, 4]
    assert np.allclose(obs.depth[0], [0.05, 0.2, 0.45, 0.8])
    assert np.exp(obs.data[0, 0]) == pytest.approx(39000.0)
    assert (obs.sd[obs.mask] == 0.5).all()
    shallow = p.make_profiles(raw).to_observations(bottom=0.5)
    assert shallow.mask.sum(axis=1).tolist() == [3] * 5


def test_selection_keeps_the_account():
    found = p.make_profiles(table(P2=FAULTS["negative carbon"]))
    some = found.select(["P4", "P0"])
    assert some.ids == ["P4", "P0"]
    assert list(some.sites.index) == ["P4", "P0"]
    assert some.report.loc["P1", "reason"] == "not selected"
    assert some.report.loc["P2", "reason"] == "negative carbon"
    adds_up(some, table())
    assert found.select(np.array([True, False, True, False])).ids == ["P0", "P3"]
    values, *_ = some.padded("organic_carbon")
    assert values[:, 3].tolist() == [8.0, 4.0]


# --- one's own file --------------------------------------------------------------------------------

HEADER = "profile,lat,lon,top_cm,bottom_cm,soc [g/kg],bd (g/cm3),stones [%],note"
ROWS = [
    "A,40,-100,0,10,30,1.1,0,dark",
    "A,40,-100,10,30,15,1.3,5,",
    "A,40,-100,30,60,6,,10,pale",
]


@pytest.fixture
def csv(tmp_path):
    def write(header=HEADER, rows=ROWS, **options):
        file = tmp_path / "mine.csv"
        file.write_text("\n".join([header, *rows]), encoding="utf-8")
        return pf.read_profiles_csv(file, **options)

    return write


def test_a_tidy_file_is_read_with_its_units(csv):
    found = csv()
    assert found.ids == ["A"]
    assert found.layers["lower_depth"].tolist() == [0.1, 0.3, 0.6]
    assert found.layers["bulk_density"].iloc[1] == pytest.approx(1300.0)
    assert found.layers["coarse_fragments"].tolist() == [0.0, 0.05, 0.1]
    assert found.layers["source"].unique().tolist() == ["mine"]
    assert found.notes[0] == "columns not used: note"
    assert found.notes[1].startswith("bulk density of 33% of the layers is estimated: ln bulk density")
    assert len(found.notes) == 2


@pytest.mark.parametrize(
    ("unit", "factor"), [("%", 10), ("g/kg", 1), ("g kg-1", 1), ("mg/g", 1), ("g/g", 1000)]
)
def test_carbon_comes_in_many_units(csv, unit, factor):
    rows = [r.replace(",30,1.1", f",{30 / factor},1.1").replace(",15,1.3", f",{15 / factor},1.3")
            .replace(",6,,", f",{6 / factor},,") for r in ROWS]  # fmt: skip
    found = csv(HEADER.replace("g/kg", unit), rows)
    assert np.allclose(found.layers["organic_carbon"], [30, 15, 6])


def test_grams_declared_as_percent_are_too_much(csv):
    rows = [r.replace(",30,1.1", ",120,1.1") for r in ROWS]
    with pytest.raises(InputError, match="1 more than 1000 g carbon per kg"):
        csv(HEADER.replace("g/kg", "%"), rows)


def test_percent_declared_as_grams_is_possible_but_odd(csv):
    assert not any("percent" in note for note in csv().notes)
    rows = [r.replace(",30,1.1", ",3,1.1").replace(",15,1.3", ",1.5,1.3") for r in ROWS]
    found = csv(rows=rows)
    assert len(found) == 1
    assert "is the column in percent" in found.notes[-1]


def test_a_profile_with_text_among_its_numbers_is_dropped_and_the_rest_goes_on(csv):
    bad = [r.replace("A,", "B,").replace("40,-100", "41,-90") for r in ROWS]
    bad[1] = bad[1].replace(",15,", ",<LOD,")
    found = csv(rows=ROWS + bad)
    assert found.ids == ["A"]
    assert found.report.loc["B", "reason"] == "organic_carbon is not a number"


def test_decimal_commas_and_semicolons(csv):
    rows = [r.replace(",", ";").replace(".", ",") for r in ROWS]
    found = csv(HEADER.replace(",", ";"), rows, sep=";", decimal=",")
    assert found.layers["bulk_density"].iloc[0] == pytest.approx(1100.0)


def test_units_can_be_given_beside_the_file(csv):
    found = csv(HEADER.replace(" [g/kg]", ""), units={"soc": "g/kg"})
    assert found.layers["organic_carbon"].tolist() == [30, 15, 6]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(header=HEADER.replace(" [g/kg]", "")), r"column 'soc' of mine.csv has no unit"),
        (dict(header=HEADER.replace("top_cm", "top")), r"'top' of mine.csv has no unit.*'top \[cm\]'"),
        (dict(header=HEADER.replace("g/kg", "kg/ha")), r"in 'kg/ha', which is no unit known for organic"),
        (dict(header=HEADER.replace("lat,", "breite,")), "no column 'latitude'"),
        (dict(header=HEADER.replace("note", "orgc [%]")), "two columns for organic_carbon"),
        (dict(header=HEADER.replace(",", " "), rows=[]), "one column only"),
        (dict(units={"socks": "g/kg"}), "units names the column 'socks'"),
        (dict(rows=[ROWS[0][1:], *ROWS]), "line 2 of mine.csv has no profile name"),
        (dict(rows=[*ROWS, '" "' + ROWS[0][1:]]), "line 5 of mine.csv has no profile name"),
        (dict(rows=[]), "a header but no layers"),
        (dict(header="", rows=[]), "mine.csv is empty"),
        (dict(rows=['"' + r for r in ROWS[:1]]), "cannot be read as a table: EOF inside string"),
        (dict(rows=[*ROWS, ROWS[2] + ",1"]), "cannot be read as a table: line 5 has more cells"),
        (dict(rows=[ROWS[0].replace("40,", "40,5,"), *ROWS[1:]]), "more cells than its header, 9"),
        (dict(header=HEADER.replace("note", "lat")), "two columns for latitude"),
        (dict(min_layers=0), "min_layers must be a whole number, at least 1"),
        (dict(rows=ROWS[:2]), "none of the 1 profiles can be used: 1 fewer than 3 layers"),
        (dict(rows=[r.replace("40,-100", "-100,40") for r in ROWS]), "swapped"),
    ],
)
def test_a_faulty_file_gets_a_sentence(csv, change, words):
    with pytest.raises(InputError, match=words) as err:
        csv(**change)
    assert str(err.value).endswith(".")


def test_commas_at_the_end_of_lines_shift_nothing(csv):
    plain, found = csv(), csv(rows=[row + "," for row in ROWS])
    pd.testing.assert_frame_equal(found.layers, plain.layers)
    assert csv(rows=[row.replace("A", "01") + "," for row in ROWS]).ids == ["01"]


@pytest.mark.parametrize("name", ["NA", "None", "1e3", "a/b; c", "Höhe", '"a,b"'])
def test_any_name_will_do(csv, name):
    found = csv(rows=[name + row[1:] for row in ROWS])
    assert found.ids == [name.strip('"')]
    with_gap = csv(rows=[*(name + row[1:] for row in ROWS), f"{name},40,-100,60,90,NA,,,"])
    assert with_gap.report["layers_read"].tolist() == [4]
    assert with_gap.report["layers_used"].tolist() == [3]


def test_a_file_in_another_encoding_gets_a_sentence(tmp_path):
    file = tmp_path / "mine.csv"
    file.write_bytes("\n".join([HEADER, *ROWS]).replace("dark", "Höhe").encode("latin-1"))
    with pytest.raises(InputError, match="no UTF-8 text"):
        pf.read_profiles_csv(file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        pf.read_profiles_csv(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: p.make_profiles(table().drop(columns="latitude")), "no column 'latitude'"),
        (lambda f: p.make_profiles(table().iloc[:0]), "has no rows"),
        (lambda f: p.make_profiles(table(P2=edit(1, "profile_id", None))), "row 9 .*no profile name"),
        (lambda f: p.make_profiles(table().astype({"latitude": object}).replace(40.0, "north")), "latitude"),
        (lambda f: p.load_profiles("wosis"), "'isis', 'afsp', 'he2016', 'wosis_2023'"),
        (lambda f: bd.carbon_density(1200.0, 1300.0), "at most 1000"),
        (lambda f: bd.carbon_density(10.0, 0.0), "bulk_density must be above 0"),
        (lambda f: bd.carbon_density(10.0, 1300.0, 20.0), "fraction"),
        (lambda f: bd.fit_bulk_density(table()), "only 20 layers"),
        (lambda f: f.select(["P9"]), "no used profile 'P9'"),
        (lambda f: f.select([False] * 5), "no profile was selected"),
        (lambda f: f.to_observations(0.0), "relative_error must be above 0"),
        (lambda f: f.to_observations(bottom=0.01), "no layer above the bottom"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call(p.make_profiles(table()))


# --- snapshots of WoSIS ------------------------------------------------------------------------------


def test_wosis_2019(tmp_path):
    write_tsv(tmp_path / "wosis_201909_profiles.tsv", "profile_id latitude longitude", "7 40 -100")
    write_tsv(
        tmp_path / "wosis_201909_layers_chemical.tsv",
        "profile_id profile_layer_id upper_depth lower_depth orgc_value_avg",
        "7 1 0 10 30", "7 2 10 30 15", "7 3 30 60 6",
    )  # fmt: skip
    found = pf.read_wosis_2019(tmp_path)
    assert found.layers["bulk_density_estimated"].all()
    write_tsv(
        tmp_path / "wosis_201909_layers_physical.tsv",
        "profile_id profile_layer_id bdfiod_value_avg cfvo_value_avg",
        "7 1 1.1 0", "7 2 1.3 20",
    )  # fmt: skip
    found = pf.read_wosis_2019(tmp_path)
    assert found.layers["lower_depth"].tolist() == [0.1, 0.3, 0.6]
    assert found.layers["carbon_density"].iloc[1] == pytest.approx(15 * 1300 * 0.8)
    assert found.layers["bulk_density_estimated"].tolist() == [False, False, True]


def test_wosis_2023(tmp_path):
    write_tsv(tmp_path / "wosis_202312_sites.tsv", "site_id latitude longitude", "1 40 -100")
    write_tsv(
        tmp_path / "wosis_202312_layers.tsv",
        "profile_id layer_id site_id upper_depth lower_depth",
        "7 1 1 0 10", "7 2 1 10 30", "7 3 1 30 60", "8 4 1 0 20",
    )  # fmt: skip
    write_tsv(tmp_path / "wosis_202312_orgc.tsv", "profile_id layer_id value_avg", "7 1 30", "7 2 15", "7 3 6")
    found = pf.read_wosis_2023(tmp_path)
    assert found.ids == ["7"]
    assert found.report.loc["8", "reason"] == "no organic carbon"
    with pytest.raises(InputError, match=r"holds no file wosis_201909_profiles\.tsv"):
        pf.read_wosis_2019(tmp_path)
    write_tsv(tmp_path / "wosis_202312_orgc.tsv", "profile_id layer_id value", "7 1 30")
    with pytest.raises(InputError, match="no column 'value_avg'"):
        pf.read_wosis_2023(tmp_path)


def write_tsv(file, *lines):
    file.write_text("\n".join(line.replace(" ", "\t") for line in lines) + "\n", encoding="utf-8")


# --- collections together ------------------------------------------------------------------------


def test_one_profile_in_percent_among_others_gets_a_note_and_stays():
    found = p.make_profiles(table(P3=lambda f: f.assign(organic_carbon=f.organic_carbon / 20)))
    notes = found.report["note"]
    assert "in percent?" in notes["P3"]
    assert (notes.drop("P3") == "").all()
    assert found.report["used"].all()


def test_joined_collections_keep_their_accounts():
    one = p.make_profiles(table(P1=FAULTS["negative carbon"]), source="one")
    two = p.make_profiles(
        table().assign(latitude=10.0, bulk_density=np.nan), source="two"
    )
    both = p.join_profiles(one, two)
    assert len(both) == len(one) + len(two) == 9
    assert both.ids[:2] == ["one:P0", "one:P2"]
    assert both.summary()["profiles"].iloc[1:].sum() == both.summary().loc["read", "profiles"] == 10
    assert any("ln bulk density" in note for note in both.notes)
    assert both.to_observations().data.shape[0] == 9
    assert p.join_profiles(one) is one
    synthetic = p.make_profiles(table(), synthetic=True)
    for wrong, words in (
        ((), "at least one"), ((one, synthetic), "must not be joined"), ((two, two), "rename it"),
    ):
        with pytest.raises(InputError, match=words):
            p.join_profiles(*wrong)


def test_a_reason_can_be_given_for_those_left_out():
    found = p.make_profiles(table()).select([True] * 3 + [False] * 2, {"P3": "wet", "P4": "far"})
    assert found.report["reason"].tolist() == ["", "", "", "wet", "far"]
    assert found.summary()["profiles"].iloc[1:].sum() == 5


def test_one_pit_in_two_collections_counts_once():
    one = p.make_profiles(table(), source="one")
    pit = table()
    two = p.make_profiles(pit[pit.profile_id.isin(["P0", "P1"])].replace({"P0": "K7", "P1": "K8"}).assign(
        latitude=lambda f: f.latitude + 10.0 * (f.profile_id == "K8")), source="two")  # fmt: skip
    both = p.join_profiles(one, two)
    assert both.ids == ["P0", "P1", "P2", "P3", "P4", "K8"]
    assert both.report.loc["K7", "reason"] == "repeats another profile"
    assert both.summary()["profiles"].iloc[1:].sum() == 7


def test_what_stands_above_the_mineral_soil_is_not_judged():
    litter = {"upper_depth": -0.05, "lower_depth": 0.0, "organic_carbon": 450.0, "bulk_density": 5.0}
    found = p.make_profiles(table(P2=lambda f: pd.concat([f, f.iloc[:1].assign(**litter)])))
    assert len(found) == 5 and found.report.loc["P2", "layers_used"] == 4
    only = table(P2=lambda f: f.assign(upper_depth=-f.lower_depth, lower_depth=-f.upper_depth))
    assert p.make_profiles(only).report.loc["P2", "reason"] == "organic carbon above the mineral soil only"


def test_organic_soil_with_an_estimated_density_gets_a_note():
    found = p.make_profiles(table(P2=lambda f: f.assign(organic_carbon=450.0 + f.lower_depth, bulk_density=np.nan)))
    assert "4 organic layer(s)" in found.report.loc["P2", "note"]
    assert (found.report.drop("P2")["note"] == "").all()


@pytest.mark.parametrize(("factor", "unit"), [(100.0, "cm, not in m"), (0.01, "m, not in cm")])
def test_depths_in_another_unit_get_a_note(factor, unit):
    raw = table()
    raw[["upper_depth", "lower_depth"]] *= factor
    assert any(unit in note for note in p.make_profiles(raw).notes)
    assert not any("depths" in note for note in p.make_profiles(table()).notes)


def test_longitudes_from_0_to_360_and_swapped_places_are_noticed():
    east = p.make_profiles(table().assign(longitude=lambda f: f.longitude + 360.0))
    assert east.sites["longitude"].tolist() == [-100.0, -99.0, -98.0, -97.0, -96.0]
    assert any("0 to 360" in note for note in east.notes)
    germany = table().assign(latitude=lambda f: f.latitude + 10.0, longitude=10.0)
    assert not any("sea" in note for note in p.make_profiles(germany).notes)
    brazil = table().assign(latitude=-48.0, longitude=-10.0 + table().index // 4)
    assert any("swapped" in note for note in p.make_profiles(brazil).notes)


def test_marks_for_gaps_are_gaps():
    raw = table(P1=edit(3, "organic_carbon", -9999.0), P2=edit(3, "bulk_density", -999.0))
    found = p.make_profiles(raw)
    assert len(found) == 5 and found.report.loc["P1", "layers_used"] == 3
    assert found.layers["bulk_density_estimated"].sum() == 1


def test_selection_takes_time_in_proportion():
    import time

    seconds = []
    for n in (1000, 8000):
        k = np.repeat(np.arange(n), 3)
        found = p.make_profiles(pd.DataFrame({
            "profile_id": [f"P{i}" for i in k], "latitude": 40 + k * 1e-3, "longitude": -100.0,
            "upper_depth": np.tile([0, 0.1, 0.2], n), "lower_depth": np.tile([0.1, 0.2, 0.3], n),
            "organic_carbon": 20.0 + np.arange(3 * n) % 7, "bulk_density": 1300.0,
        }))  # fmt: skip
        start = time.process_time()
        found.select(found.ids[:-1])
        seconds.append(time.process_time() - start)
    assert seconds[1] < 24 * seconds[0]  # 8 if in proportion, 64 if with the square


def test_litter_on_the_ground_is_no_soil(tmp_path):
    write_tsv(tmp_path / "wosis_201909_profiles.tsv", "profile_id latitude longitude", "7 61 10")
    write_tsv(
        tmp_path / "wosis_201909_layers_chemical.tsv",
        "profile_id profile_layer_id upper_depth lower_depth litter orgc_value_avg",
        "7 1 0 6 t 410", "7 2 6 15 f 38", "7 3 15 40 f 12", "7 4 40 80 f 3",
    )  # fmt: skip
    found = pf.read_wosis_2019(tmp_path).layers
    assert found["organic_carbon"].tolist() == [38.0, 12.0, 3.0]
    assert found["upper_depth"].tolist() == pytest.approx([0.0, 0.09, 0.34])


def test_wosis_2023_from_its_property_files_alone(tmp_path):
    head = "profile_id layer_id latitude longitude upper_depth lower_depth litter value_avg"
    rows = ("0 40 -100 0 5 True 400", "1 40 -100 0 10 False 30", "2 40 -100 10 30 False 15", "3 40 -100 30 60 False 6")
    write_tsv(tmp_path / "wosis_202312_orgc.tsv", head, *(f"7 {row}" for row in rows))
    write_tsv(tmp_path / "wosis_202312_bdfiod.tsv", head, "7 1 40 -100 0 10 False 1.1")
    found = pf.read_wosis_2023(tmp_path).layers
    assert found["upper_depth"].tolist() == [0.0, 0.1, 0.3]
    assert found["bulk_density"].iloc[0] == pytest.approx(1100.0)
