"""Jars from a file: units, dates, summed CO2, a reason for each row that is not used."""

import numpy as np
import pytest
from real_data import needs

from landcarbon.datasets import read_jars_csv, read_sidb
from landcarbon.matrix.errors import InputError


def write(tmp_path, text):
    path = tmp_path / "jars.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("unit", "factor", "told"),
    [
        ("ugC g-1 d-1", 1.0, "ugC g-1 d-1"),
        ("mgC/kg/d", 1.0, "ugC g-1 d-1"),
        ("mg CO2-C kg-1 d-1", 1.0, "ugC g-1 d-1"),
        ("mgCO2 g-1 h-1", 12.011 / 44.009 * 24 * 1000, "ugC g-1 d-1"),
        ("mgC gC-1 d-1", 1.0, "mgC gC-1 d-1"),
        ("gC kgC-1 d-1", 1.0, "mgC gC-1 d-1"),
        ("mgC m-2 h-1", 0.024, "gC m-2 d-1"),
    ],
)
def test_units_are_heard(tmp_path, unit, factor, told):
    jars = read_jars_csv(write(tmp_path, f"soil,jar,day,flux [{unit}]\npine,1,2,3\n"))
    assert jars.unit == told
    assert jars.table["flux"][0] == pytest.approx(3 * factor, rel=1e-12)


def test_each_row_that_is_not_used_has_its_reason(tmp_path):
    rows = "pine,1,0,5\npine,1,3,n.d.\npine,1,4,much\npine,1,5,-0.2\n,1,6,1\npine,1,,1\npine,1,0,4\npine,1,-1,4\n"
    jars = read_jars_csv(write(tmp_path, "soil,rep,day [d],flux [ugC g-1 d-1],who\n" + rows))
    assert jars.report["reason"].to_list() == [
        "", "flux missing", "flux not a number", "flux not above 0", "no name of a soil", "day missing",
        "a second value of that jar on that day", "before the start",
    ]  # fmt: skip
    assert jars.report.index[0] == 2 and len(jars.table) == 1
    assert jars.notes == ("columns not used: who",)
    assert "not used: 1 row(s), flux missing" in str(jars)


def test_dates_count_from_the_first_of_their_soil(tmp_path):
    text = "soil;jar;date;flux\npine;a;2024-05-31;1,5\npine;b;2024-06-10;2,5\noak;a;2024-07-01;3\n"
    jars = read_jars_csv(write(tmp_path, text), {"flux": "ugC g-1 d-1"}, sep=";", decimal=",")
    assert jars.table["day"].to_list() == [0.0, 10.0, 0.0]
    assert jars.table["flux"].to_list() == [1.5, 2.5, 3.0]


def test_a_date_that_cannot_be_read_is_a_reason_and_a_way_of_writing_them_is_not(tmp_path):
    head, row = "soil,jar,date,flux [ugC g-1 d-1]\n", "pine,a,{},{}\n"
    slip = head + row.format("2024-05-31", 3) + row.format("31/02/2024", 2) + row.format("2024-06-10", 1)
    jars = read_jars_csv(write(tmp_path, slip))
    assert jars.table["day"].to_list() == [0.0, 10.0]
    assert jars.report["reason"].to_list() == ["", "date '31/02/2024' cannot be read", ""]
    with pytest.raises(InputError, match="in one way only, such as '2004-02-05', but '05/06/2024'"):
        read_jars_csv(write(tmp_path, head + row.format("05/06/2024", 3) + row.format("06/06/2024", 2)))


def test_summed_co2_becomes_fluxes_between_visits(tmp_path):
    text = "soil,jar,day,cumulative [mgC kg-1]\npine,1,2,10\npine,1,6,18\npine,1,8,17\npine,2,4,8\n"
    jars = read_jars_csv(write(tmp_path, text))
    assert jars.unit == "ugC g-1 d-1"
    np.testing.assert_allclose(jars.table["day"], [1.0, 4.0, 2.0])
    np.testing.assert_allclose(jars.table["flux"], [5.0, 2.0, 2.0])
    assert jars.report["reason"].to_list() == ["", "", "flux not above 0", ""]


def test_one_jar_is_held_out(tmp_path):
    text = "soil,jar,day,flux [ugC g-1 d-1]\npine,1,2,3\npine,2,2,4\n"
    kept, held = read_jars_csv(write(tmp_path, text)).without("pine", "2")
    assert kept.table["flux"].to_list() == [3.0] and held.table["flux"].to_list() == [4.0]
    with pytest.raises(InputError, match="no jar '3' of soil 'pine'; there are pine 1"):
        kept.without("pine", "3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("soil,jar,day,flux\npine,1,2,3\n", "has no unit. Name it"),
        ("soil,jar,day,flux [furlong]\npine,1,2,3\n", "flux is in 'furlong', but 'ugC g-1 d-1' is needed"),
        ("jar,day,flux [ugC g-1 d-1]\n1,2,3\n", "has no column soil"),
        ("soil,day,date,flux [ugC g-1 d-1]\n1,2,3,4\n", "has both columns day or date"),
        ("soil,day,flux [ugC g-1 d-1],rate [ugC g-1 d-1]\n1,2,3,4\n", "two columns for flux"),
        ("soil,day,flux [ugC g-1 d-1]\npine,2,-3\n", "no row that can be used; the first: flux not above 0"),
        ("", "cannot be read as a table"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_jars_csv(write(tmp_path, text))


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_jars_csv(tmp_path / "none.csv")


META = """citationKey: Made2024
incubationInfo:
       incubationTime:
          units: days
variables:
        V1:
          name: time
          units: days
        V2:
          name: C_pine_15
          units: "Soil respiration rate (mg C g{^-1} soil day{^-1})"
          desc: "pine at 15 degrees (name: none)"
        V3:
          name: C_pine_25
          units: "Soil respiration rate (mg C g{^-1} soil day{^-1})"
"""


def entry(tmp_path, meta=META, table="time,C_pine_15,C_pine_25\n1,0.5,1.5\n9,0.25,\n"):
    (tmp_path / "timeSeries.csv").write_text(table, encoding="utf-8")
    if meta:
        (tmp_path / "metadata.yaml").write_text(meta, encoding="utf-8")
    return tmp_path


def test_an_entry_of_sidb(tmp_path):
    jars = read_sidb(entry(tmp_path))
    assert jars.unit == "ugC g-1 d-1" and len(jars.table) == 3
    assert sorted(set(jars.table["soil"])) == ["C_pine_15", "C_pine_25"]
    assert jars.table["flux"].max() == pytest.approx(1500.0)
    assert jars.report["reason"].to_list() == ["", "", "", "flux missing"]
    replicas = read_sidb(tmp_path, "ugC g-1 d-1", jars={"C_pine_15": ("pine", "a"), "C_pine_25": ("pine", "b")})
    assert set(zip(replicas.table["soil"], replicas.table["jar"])) == {("pine", "a"), ("pine", "b")}
    assert replicas.table["flux"].max() == pytest.approx(1.5)


def test_what_sidb_sums_becomes_fluxes(tmp_path):
    jars = read_sidb(entry(tmp_path, meta=""), "mgC gC-1")
    assert jars.unit == "mgC gC-1 d-1"
    assert jars.table["day"].to_list()[0] == 0.5


@pytest.mark.parametrize(
    ("meta", "options", "message"),
    [
        ("", {}, "the unit is told as 'nothing'; say it"),
        (META.replace("mg C g{^-1} soil day{^-1}", "Percent"), {}, "say it as a unit"),
        (META, {"jars": {"pine": ("pine", "1")}}, "jars names the column 'pine'"),
    ],
)
def test_bad_entries_of_sidb(tmp_path, meta, options, message):
    with pytest.raises(InputError, match=message):
        read_sidb(entry(tmp_path, meta), **options)
    with pytest.raises(InputError, match="no file"):
        read_sidb(tmp_path / "none")
    with pytest.raises(InputError, match="no column 'time'"):
        read_sidb(entry(tmp_path, table="day,C\n1,2\n"))


@needs("haddix2011")
def test_a_real_entry_of_sidb():
    from landcarbon.datasets import path

    jars = read_sidb(path("haddix2011"), "ugC g-1 d-1")
    assert jars.table["soil"].nunique() == 36
    assert jars.table["day"].max() == 588
