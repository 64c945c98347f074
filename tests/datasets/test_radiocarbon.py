"""He et al. 2016 by name: the account of its profiles, its units, and what its spread is."""

import numpy as np
import pytest

from landcarbon import datasets
from landcarbon.datasets.radiocarbon import (
    SPREAD,
    air_at,
    load_radiocarbon,
    observations,
    radiocarbon_forcing,
)
from landcarbon.matrix import InputError
from landcarbon.models import clm5, clm5_radiocarbon

here = pytest.mark.skipif(
    not (datasets.is_available("he2016") and datasets.is_available("graven2017")), reason="needs he2016 and graven2017"
)


@here
def test_the_table_as_published():
    table = datasets.load("he2016")
    assert len(table) == 4136 and table["study"].nunique() == 110
    assert table["delta_14c"].between(-1000, 700).sum() == 3923 - 25  # 25 zeros were filled in
    assert table["upper_depth"].max() < 30  # m
    assert 300 < table["organic_carbon"].max() <= 1000  # g kg-1
    assert table.attrs["units"]["delta_14c"] == "per mil"
    assert "14C_age" not in table
    # Why conventional ages are not read: they do not rise with depth, Δ14C falls.
    falls = [g["upper_depth"].corr(g["delta_14c"], method="spearman") for _, g in table.groupby("profile_id")]
    assert np.nanmedian(falls) < -0.9


@here
def test_every_profile_is_accounted_for():
    profiles = load_radiocarbon()
    account = profiles.summary()
    assert account.loc["read", "profiles"] == 678 == account["profiles"].drop("read").sum()
    assert account.loc["used", "profiles"] == len(profiles) == 394
    assert {"dropped: no Δ14C", "dropped: no year of sampling"} <= set(account.index)
    dated = profiles.layers.groupby("profile_id")["delta_14c"].count()
    assert (dated > 0).all()
    assert any("filled in by the authors" in note for note in profiles.notes)


@here
def test_how_far_pits_of_one_place_differ():
    layers = load_radiocarbon().layers
    study = datasets.load("he2016").drop_duplicates("profile_id").set_index("profile_id")["study"]
    dated = layers[layers["delta_14c"].notna()]
    place = [
        dated["profile_id"].map(study), dated["latitude"].round(1), dated["longitude"].round(1), dated["year"],
        np.floor((dated["upper_depth"] + dated["lower_depth"]) / 0.2),
    ]  # fmt: skip
    pits = dated["delta_14c"].groupby([*place, dated["profile_id"]]).mean()
    groups = pits.groupby(level=[0, 1, 2, 3, 4])
    variance, count = groups.var().dropna(), groups.size()
    freedom = count[variance.index] - 1
    spread = np.sqrt((variance * freedom).sum() / freedom.sum())
    assert abs(spread - 104) < 3 and abs(len(variance) - 249) <= 2
    assert abs(spread - SPREAD) < 10


@here
def test_the_streams_and_the_air():
    profiles = load_radiocarbon().select(np.arange(6))
    data = observations(profiles)
    assert set(data.parts) == {"carbon", "radiocarbon"} and data.sites == (6,)
    ratio = data.parts["radiocarbon"]
    first = profiles.layers[profiles.layers["profile_id"] == profiles.ids[0]]
    dated = first["delta_14c"].notna().to_numpy()
    np.testing.assert_allclose(
        1000 * (ratio.data[0][ratio.mask[0]] - 1), first["delta_14c"].to_numpy()[dated], atol=1e-9
    )
    assert (ratio.sd[ratio.mask] >= 0.1).all()
    years, delta = air_at([50.0, 0.0, -45.0])
    np.testing.assert_allclose(delta[:, np.searchsorted(years, 1964.5)], [835.7, 672.3, 520.6], atol=0.05)
    assert len(np.unique(delta, axis=0)) == 3
    land = clm5.Forcing(np.full((6, 20, 12), 285.0), np.full((20, 12), 0.5), [40, 120, 180, 60])
    dated = radiocarbon_forcing(profiles, land)
    values = clm5_radiocarbon.observed_values(np.tile(clm5.DEFAULT, (6, 1)), dated)
    assert np.isfinite(data.log_likelihood(data.join({"carbon": values[:, :20], "radiocarbon": values[:, 20:]}))).all()
    with pytest.raises(InputError, match="there are 6 profiles"):
        radiocarbon_forcing(profiles, land[:3])


@here
def test_collections_without_radiocarbon():
    if not datasets.is_available("isis"):
        pytest.skip("needs isis")
    with pytest.raises(InputError, match="no Δ14C"):
        load_radiocarbon("isis")
    with pytest.raises(InputError, match="take them from load_radiocarbon"):
        observations(datasets.load_profiles("isis").select(np.arange(3)))
