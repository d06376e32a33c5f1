"""Headers whose digits are no numbers are passed over."""

from types import SimpleNamespace

import pytest

from milan_core.images.fetch import web
from milan_core.images.fetch.attempt import InterruptedTransfer


@pytest.mark.parametrize("told", ["²", "9" * 5000])
def test_digits_that_are_no_number_are_none(told):
    answer = SimpleNamespace(status_code=200, headers={"Content-Length": told})
    assert web._whole_size(answer) is None
    busy = SimpleNamespace(status_code=503, reason="busy", headers={"Retry-After": told})
    with pytest.raises(InterruptedTransfer) as caught:
        web._check_status(busy, None)
    assert caught.value.wait is None
