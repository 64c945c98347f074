"""Places on the earth, against closed forms and brute force."""

import numpy as np
import pytest

from landcarbon import geo
from landcarbon.matrix.errors import InputError


def places(n=80, seed=0):
    rng = np.random.default_rng(seed)
    return np.degrees(np.arcsin(rng.uniform(-1, 1, n))), rng.uniform(-180, 180, n)


def test_the_equator_is_forty_thousand_kilometres_round():
    lon = np.linspace(-180, 180, 361)
    around = geo.great_circle_km(0.0, lon[:-1], 0.0, lon[1:]).sum()
    assert around == pytest.approx(2 * np.pi * 6371.0, rel=1e-12)
    assert geo.great_circle_km(90.0, 0.0, -90.0, 77.0) == pytest.approx(np.pi * 6371.0)


def test_the_nearest_is_the_nearest():
    (lat, lon), (to_lat, to_lon) = places(), places(50, 1)
    index, km = geo.nearest(lat, lon, to_lat, to_lon)
    all_km = geo.great_circle_km(lat[:, None], lon[:, None], to_lat, to_lon)
    assert np.array_equal(index, all_km.argmin(axis=1))
    assert km == pytest.approx(all_km.min(axis=1), rel=1e-9)


def test_both_conventions_of_longitude_are_one():
    lat, lon = places()
    assert np.array_equal(geo.block_ids(lat, lon), geo.block_ids(lat, lon % 360))
    assert geo.as_places(lat, lon % 360)[1] == pytest.approx(lon)
    box = (-30.0, -20.0, 60.0, 45.0)
    assert np.array_equal(geo.in_box(lat, lon, box), geo.in_box(lat, lon % 360, box))
    assert geo.in_box([0.0, 0.0, 50.0], [0.0, 70.0, 0.0], box).tolist() == [True, False, False]


def test_cells_of_a_box_are_those_of_the_whole_grid():
    lat, lon = geo.cell_centres((-180, -90, 180, 90), 30.0)
    assert lat.size == 6 * 12 and lat[0] == -75.0 and lon[0] == -165.0
    inner_lat, inner_lon = geo.cell_centres((-60, 0, 30, 60), 30.0)
    inside = geo.in_box(lat, lon, (-60, 0, 30, 60))
    assert np.array_equal(inner_lat, lat[inside]) and np.array_equal(inner_lon, lon[inside])
    assert (np.abs(geo.cell_centres((-180, -90, 180, 90), 7.0)[0]) <= 90).all()


@pytest.mark.parametrize(("call", "words"), [
    (lambda: geo.as_places([100.0], [10.0]), "swapped"),
    (lambda: geo.as_places([10.0], [400.0]), "at most 360"),
    (lambda: geo.as_places([10.0, 20.0], [40.0]), "one of each"),
    (lambda: geo.nearest([1.0], [1.0], [], []), "no place to look among"),
    (lambda: geo.block_ids([], []), "no place to number"),
    (lambda: geo.block_ids([1.0], [1.0], size=0.0), "edge of a block"),
    (lambda: geo.as_box((1, 2, 3)), "four numbers"),
    (lambda: geo.as_box((10, 10, 5, 20)), "west, south, east, north.*date line"),
    (lambda: geo.as_box((0, 40, 10, 100)), "-90 to 90"),
    (lambda: geo.cell_centres((0, 0, 1, 1), 0.0), "step must be above 0"),
])  # fmt: skip
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
