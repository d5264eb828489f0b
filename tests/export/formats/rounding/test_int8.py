"""Pictures to calibrate with: of the right range, as resizing leaves them."""

import numpy as np
import pytest

from tlkeras.errors import ExportError
from tlkeras.export.formats.rounding.int8 import ENOUGH, calibration, to_int8


def test_pixels_that_resizing_left_a_hair_outside_are_clipped() -> None:
    pictures = np.full((3, 8, 8, 3), 90, np.float32)
    pictures[1, 2, 3] = -1e-5, 255.00002, 12.5
    shown = calibration(pictures, 8)
    assert (shown.min(), shown.max()) == (0, 255)
    assert shown[1, 2, 3].tolist() == [0, 255, 12.5]
    assert pictures[1, 2, 3, 1] > 255, "what was handed in stays"


@pytest.mark.parametrize("value", [np.nan, np.inf, -3.0, 260.0])
def test_pixels_of_another_range_are_refused(value: float) -> None:
    pictures = np.full((3, 8, 8, 3), 90, np.float32)
    pictures[2, 1, 1, 0] = value
    with pytest.raises(ExportError, match="from 0 to 255"):
        calibration(pictures, 8)


def test_no_more_are_taken_than_help() -> None:
    assert len(calibration(np.full((ENOUGH + 20, 4, 4, 3), 90, np.uint8), 4)) == ENOUGH


def test_rounding_to_whole_numbers_stays_in_range() -> None:
    assert to_int8(np.array([-0.3, 0.5, 254.6, 255.00002])).tolist() == [-128, -128, 127, 127]
