"""Layers under the names of ISRaD, made up."""

import pytest

from landcarbon.datasets import read_israd_csv
from landcarbon.matrix.errors import InputError

HEAD = (
    "entry_name,site_name,site_lat,site_long,pro_name,pro_lat,pro_long,"
    "lyr_name,lyr_top,lyr_bot,lyr_c_org,lyr_bd_samp,lyr_14c\n"
)
ROWS = "".join(
    f"Doe_2001,{site},45.1,-120.5,pit,{lat},NA,{site}_{k},{10 * k},{10 * k + 10},{4.0 - k},1.2,{-30 * k}\n"
    for site, lat in (("wood", "NA"), ("field", "45.2"))
    for k in range(3)
)


def write(tmp_path, text):
    path = tmp_path / "israd.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_layers_become_profiles(tmp_path):
    profiles = read_israd_csv(write(tmp_path, HEAD + ROWS))
    assert sorted(profiles.report.index) == ["Doe_2001/field/pit", "Doe_2001/wood/pit"]
    assert profiles.report["used"].all()
    own = read_israd_csv(write(tmp_path, HEAD + ROWS.replace("3.0,1.2", "NA,1.2")), min_layers=2)
    assert own.report["used"].all()


def test_what_is_not_israd(tmp_path):
    with pytest.raises(InputError, match="no column 'pro_name'"):
        read_israd_csv(write(tmp_path, HEAD.replace("pro_name", "profile") + ROWS))
    with pytest.raises(InputError, match="there is no file"):
        read_israd_csv(tmp_path / "none.csv")
