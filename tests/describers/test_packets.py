"""Evidence packets against plain definitions, and contact sheets pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milan_core.describers.contact import GAP, contact_sheet, resized, tiles
from milan_core.describers.options import PacketOptions
from milan_core.describers.packets import LayerPackets, spread


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(4, 40))
def test_roles_are_disjoint_and_as_they_say(seed, units, images):
    rng = np.random.default_rng(seed)
    maxima = np.maximum(rng.integers(-3, 6, (units, images)), 0).astype(np.float32)
    options = PacketOptions(top=3, range=4, hard=3, neighbor=2)
    packets = LayerPackets(maxima, options)
    for unit in range(units):
        packet = packets.of(unit)
        roles = [packet.top, packet.range, packet.hard, packet.neighbor]
        everything = np.concatenate(roles)
        assert len(set(everything.tolist())) == len(everything)
        a, median = maxima[unit], np.median(maxima[unit])
        fired = np.concatenate([packet.top, packet.range])
        assert (a[fired] > median).all()
        assert (np.diff(a[fired]) <= 0).all()
        assert (a[np.concatenate([packet.hard, packet.neighbor])] <= median).all()
        assert len(packet.top) == min(3, (a > median).sum())
        assert sorted(a[packet.top]) == sorted(a)[len(a) - len(packet.top) :]


def test_the_hard_negative_looks_like_the_strongest_to_other_units():
    maxima = np.zeros((3, 12), np.float32)
    maxima[0, :5] = [9, 8, 7, 6, 5]  # the unit
    maxima[1, [0, 1, 2, 8]] = 1  # fires on its strongest images and on image 8
    maxima[2, [5, 6, 9]] = 1
    packet = LayerPackets(maxima, PacketOptions(top=3, range=1, hard=1, neighbor=1)).of(0)
    assert packet.top.tolist() == [0, 1, 2]
    assert packet.hard.tolist() == [8]


def test_the_neighbor_shares_the_most_strongest_images():
    rng = np.random.default_rng(0)
    maxima = rng.random((4, 200)).astype(np.float32)
    maxima[2] = maxima[0]
    maxima[2, 50] = 5.0  # strongest of unit 2 alone
    maxima[0, 50] = 0.0
    packet = LayerPackets(maxima, PacketOptions(neighbor=1, hard=0)).of(0)
    assert packet.neighbor.tolist() == [50]
    alone = LayerPackets(maxima[:1], PacketOptions()).of(0)
    assert len(alone.hard) == len(alone.neighbor) == 0


def test_spread_is_even():
    assert spread(np.arange(100), 4).tolist() == [12, 37, 62, 87]
    assert spread(np.arange(3), 4).tolist() == [0, 1, 2]
    assert spread(np.arange(3), 0).tolist() == []


def test_resizing_is_linear_between_pixel_centers():
    row = np.array([[0, 100]], np.uint8)
    image = np.repeat(np.repeat(row[..., None], 3, 2), 2, 0)
    assert resized(image, 4)[0, :, 0].tolist() == [0, 25, 75, 100]
    rng = np.random.default_rng(0)
    same = rng.integers(0, 256, (7, 7, 3)).astype(np.uint8)
    np.testing.assert_array_equal(resized(same, 7), same)


@pytest.mark.parametrize("counts", [(1,), (4, 1), (5, 0, 2)])
def test_groups_begin_new_rows(counts):
    groups = [np.full((n, 8, 8, 3), 10 * (i + 1), np.uint8) for i, n in enumerate(counts)]
    sheet = contact_sheet(groups)
    rows = [-(-n // 4) for n in counts]
    assert sheet.shape == (sum(rows) * (8 + GAP) - GAP, 4 * (8 + GAP) - GAP, 3)
    for i, n in enumerate(counts):
        assert (sheet == 10 * (i + 1)).sum() == n * 8 * 8 * 3
        top = sum(rows[:i]) * (8 + GAP)
        if n:
            assert (sheet[top : top + 8, :8] == 10 * (i + 1)).all()


def test_masks_darken_the_rest():
    images = np.full((1, 4, 4, 3), 200, np.uint8)
    mask = np.zeros((1, 4, 4), bool)
    mask[0, :, :2] = True
    drawn = tiles(images, 8, mask)[0, :, :, 0]
    assert (drawn[:, 4:] == 60).all()
    assert set(np.unique(drawn[:, :4])) == {200, 255}
