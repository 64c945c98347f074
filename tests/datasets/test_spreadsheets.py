"""Spreadsheets as people send them: read, or refused in a sentence that a soil scientist understands."""

import pytest

from landcarbon.datasets.profile_files import read_profiles_csv
from landcarbon.matrix.errors import InputError

HEAD = "profile_id,latitude,longitude,upper_depth [cm],lower_depth [cm],organic_carbon [g/kg],bulk_density [g/cm3]"
BODY = ["M1,51.2,10.3,0,10,38.2,1.05", "M1,51.2,10.3,10,30,21.0,1.28", "M1,51.2,10.3,30,60,8.4,1.41"]


def semicolons(line):
    return line.replace(",", ";").replace(".", ",")


SHEETS = {
    "of European Excel": (";".join(HEAD.split(",")), [semicolons(r) for r in BODY], {}, "sep=';' and decimal=','"),
    "with tabs, from the clipboard": (HEAD.replace(",", "\t"), [r.replace(",", "\t") for r in BODY], {}, "sep='\\t'"),
    "with blank rows and columns": (HEAD + ",,", ["", *(r + ",," for r in BODY), ",,,,,,,,", "", ",,,,,,,,"], {}, None),
    "with a row of units": (
        "profile,lat,lon,top,bottom,soc,bd", ["-,°,°,cm,cm,g/kg,g/cm3", *BODY], {}, "line 2 was read as the units"),
    "with columns beside the right ones": (
        HEAD + ",profile_code,site_name,soc_stock,gravel [%],stones_remark,horizon",
        [r + ",x9,Meadow,4.1,3,few,A" for r in BODY], {},
        "columns not used: profile_code, site_name, soc_stock, stones_remark, horizon"),
    "in another language": (
        "Profil;Breite;Länge;oben;unten;Corg;TRD", [semicolons(r) for r in BODY],
        dict(columns={"Profil": "profile_id", "Breite": "latitude", "Länge": "longitude", "oben": "upper_depth",
                      "unten": "lower_depth", "Corg": "organic_carbon", "TRD": "bulk_density"},
             units={"oben": "cm", "unten": "cm", "Corg": "g/kg", "TRD": "g/cm3"}), None),
    "with marks for what is missing": (
        HEAD, [*BODY, "M1,51.2,10.3,60,80,<0.5,n.d.", "M1,51.2,10.3,80,99,-9999,-999"], {},
        "read as missing: -999, -9999, <0.5, n.d."),
    "with marks of a spreadsheet": (
        HEAD, [*BODY, "M1,51.2,10.3,60,80,#N/A,#DIV/0!"], {}, "read as missing: #DIV/0!"),
    "with a day-first date beside": (HEAD + ",date", [r + ",05/02/2004" for r in BODY], {}, "columns not used: date"),
    "with depths in m": (
        HEAD.replace("[cm]", "[m]"),
        [r.replace(",0,10,", ",0,0.1,").replace(",10,30,", ",0.1,0.3,").replace(",30,60,", ",0.3,0.6,") for r in BODY],
        {}, None),
    "with a name that has a comma": (HEAD, [r.replace("M1", '"M1"') for r in BODY], {}, None),
    "with an exact name beside an alias": (
        HEAD + ",site,orgc [%]", [r + ",north,3.8" for r in BODY], {}, "site, orgc [%]"),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", SHEETS)
def test_a_sheet_is_read(tmp_path, name, encoding):
    header, rows, options, said = SHEETS[name]
    file = tmp_path / "sheet.csv"
    file.write_bytes("\r\n".join([header, *rows]).encode(encoding))
    found = read_profiles_csv(file, **options)
    assert found.ids == ["M1"]
    assert found.layers["lower_depth"].tolist() == pytest.approx([0.1, 0.3, 0.6])
    assert found.layers["organic_carbon"].tolist() == pytest.approx([38.2, 21.0, 8.4])
    assert found.layers["bulk_density"].tolist() == pytest.approx([1050.0, 1280.0, 1410.0])
    assert said is None or any(said in note for note in found.notes), found.notes


def test_longitudes_to_360_and_gravel(tmp_path):
    rows = [r.replace("51.2,10.3", "45.2,260.7") + ",20" for r in BODY]
    (tmp_path / "sheet.csv").write_text("\n".join([HEAD + ",gravel [%]", *rows]), encoding="utf-8")
    found = read_profiles_csv(tmp_path / "sheet.csv")
    assert found.sites["longitude"].tolist() == pytest.approx([-99.3])
    assert found.layers["coarse_fragments"].tolist() == [0.2] * 3


def test_the_number_of_the_line_counts_blank_ones(tmp_path):
    (tmp_path / "sheet.csv").write_text("\n".join([HEAD, "", "", *BODY, ",51.2,10.3,60,80,3,1.4"]), encoding="utf-8")
    with pytest.raises(InputError, match=r"line 7 of sheet\.csv has no profile name"):
        read_profiles_csv(tmp_path / "sheet.csv")


REFUSED = {
    "two sheets pasted below each other": (
        "\n".join([HEAD, *BODY, HEAD, *BODY]), "line 5 .* second header.*join_profiles"),
    "a title above the header": ("\n".join(["Soil survey 2019,,,,,,", HEAD, *BODY]), "title"),
    "merged header": ("\n".join([",,,depth [cm],,carbon [g/kg],", HEAD, *BODY]), "title"),
    "decimal commas between commas": ("\n".join([HEAD, *(r.replace(".", ",") for r in BODY)]), "sep=';', decimal=','"),
    "swapped coordinates": ("\n".join([HEAD, *(r.replace("51.2,10.3", "-100.1,40.3") for r in BODY)]), "swapped"),
    "both ends of a layer in one column": (
        "\n".join([HEAD.replace("upper_depth [cm],lower_depth [cm]", "depth [cm]"), "M1,51.2,10.3,0-10,38.2,1.05"]),
        "one column of depths, 'depth .cm.'.*write 0 into upper_depth and 10 into lower_depth"),
    "no units": ("\n".join([HEAD.replace(" [g/kg]", ""), *BODY]), "organic_carbon.* has no unit"),
    "a workbook": (b"PK\x03\x04" + bytes(40), "workbook"),
    "an old workbook": (b"\xd0\xcf\x11\xe0" + bytes(40), "workbook"),
    "binary": (bytes(range(256)), "no text"),
    "empty": ("", "is empty"),
    "commas only": (",,,\n,,,\n", "is empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_sheet_is_refused_in_a_sentence(tmp_path, name):
    content, words = REFUSED[name]
    file = tmp_path / "sheet.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=words) as told:
        read_profiles_csv(file)
    assert len(str(told.value)) < 420
