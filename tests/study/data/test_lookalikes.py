"""The search for templates that show the same image."""

import pandas as pd
import pytest
from PIL import Image, ImageOps

from finhash.study import project
from finhash.study.data import drawn, lookalikes


@pytest.fixture(scope="module")
def templates() -> list[Image.Image]:
    # Every second family: neighbours may be variants of one another.
    return [drawn.draw_template(project.SEED, family) for family in range(0, 24, 2)]


def framed(image: Image.Image) -> Image.Image:
    frame = Image.new("RGB", (250, 250), "navy")
    frame.paste(image.resize((190, 190)), (30, 30))
    return frame


CHANGES = {
    "mirrored": ImageOps.mirror,
    "framed": framed,
    "cropped": lambda image: image.crop((25, 0, 225, 200)).resize((250, 250)),
    "paler": lambda image: image.point(lambda value: value // 2 + 100),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_template_is_the_first_candidate(templates, change):
    found = lookalikes.candidates([*templates, CHANGES[change](templates[3])], progress=False)
    assert found.loc[0, ["first", "second"]].tolist() == [3, len(templates)]
    assert found.loc[0, "whole"] > 0.9


def test_sheets_show_every_pair_under_its_number(templates):
    pairs = pd.DataFrame({"first": [0, 1, 2], "second": [3, 4, 5]}, index=[40, 41, 42])
    sheet = lookalikes.draw_pairs(templates, pairs, columns=2, side=50)
    assert sheet.size == (2 * 108, 2 * 66)
    small = templates[4].resize((50, 50), Image.Resampling.LANCZOS)
    assert sheet.crop((158, 16, 208, 66)).tobytes() == small.tobytes()
