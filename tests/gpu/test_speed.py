"""Bandwidth of the kernels beside a read-only kernel and a device copy: printed, and bounded."""

import pytest

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


def test_fractions_of_reading(device, capsys):
    from benchmarks import gpu
    from benchmarks.clock import table

    rows = gpu.measure()
    with capsys.disabled():
        print("\n" + table(rows))
    assert [row.what for row in rows if not row.kept] == []
