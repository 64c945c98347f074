"""Parameter tables: lookup, defaults, printing, and the sentences for bad rows."""

import numpy as np
import pytest

from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable


@pytest.fixture
def table():
    return ParameterTable(
        [
            Parameter("tau_s1", "yr", 0.0, 1.0, 0.2, "a paper", "fast soil carbon"),
            Parameter("tau_s2", "yr", 1.0, 50.0, 6.0, "a paper", "slow soil carbon"),
            Parameter("q10", "1", 1.2, 3.0, 1.5, "a <paper>", prior="logit-normal"),
        ]
    )


def test_columns_and_lookup(table):
    assert table.names == ("tau_s1", "tau_s2", "q10")
    assert table.units == ("yr", "yr", "1")
    np.testing.assert_array_equal(table.lower, [0.0, 1.0, 1.2])
    np.testing.assert_array_equal(table.upper, [1.0, 50.0, 3.0])
    np.testing.assert_array_equal(table.default, [0.2, 6.0, 1.5])
    assert len(table) == 3
    assert [row.name for row in table] == list(table.names)
    assert table["q10"] is table[2] is table[-1]
    assert "q10" in table
    assert "q11" not in table
    assert table.subset(["q10", "tau_s1"]).names == ("q10", "tau_s1")


def test_array_and_dict_are_inverse(table):
    theta = table.array(q10=[2.0, 2.5])
    np.testing.assert_array_equal(theta, [[0.2, 6.0, 2.0], [0.2, 6.0, 2.5]])
    np.testing.assert_array_equal(table.array(**table.dict(theta)), theta)


def test_prints_as_text_and_html(table):
    lines = str(table).splitlines()
    assert lines[0].split() == ["name", "unit", "lower", "upper", "default", "prior", "description"]
    assert (
        len({line.index(cell) for line, cell in zip(lines[1:], ["uniform", "uniform", "logit"])})
        == 1
    )
    page = table._repr_html_()
    assert page.count("<tr>") == 4
    assert "a &lt;paper&gt;" in page


def test_unknown_name_gets_near_names(table):
    with pytest.raises(InputError, match=r"no parameter 'tau_s3'. Did you mean tau_s2 or tau_s1"):
        table.index("tau_s3")
    with pytest.raises(InputError, match="Did you mean q10"):
        table.array(Q10=2.0, q1=2.0)
    with pytest.raises(InputError, match="The table has tau_s1, tau_s2, q10"):
        table["zzz"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("q 10", "1", 0, 1, 0.5), "valid Python identifier"),
        (("q10", "1", 3, 1, 2), "lower must be below upper"),
        (("q10", "1", 1, 3, 4), "default 4 outside its bounds 1 to 3"),
        (("q10", "1", 1, float("nan"), 2), "NaN or infinite"),
    ],
)
def test_bad_rows(row, message):
    with pytest.raises(InputError, match=message):
        Parameter(*row)


def test_bad_tables(table):
    with pytest.raises(InputError, match="'q10' stands twice"):
        ParameterTable([*table, table["q10"]])
    with pytest.raises(InputError, match="at least one row"):
        ParameterTable([])
    with pytest.raises(InputError, match="do not broadcast"):
        table.array(q10=[1.5, 2.0], tau_s1=[0.1, 0.2, 0.3])
    with pytest.raises(InputError, match=r"axes of length \(3\)"):
        table.dict([1.0, 2.0])
