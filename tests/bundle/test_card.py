"""The card: the figures are in it, its code runs, names cannot break it."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlkeras.bundle.bundle import Bundle
from tlkeras.bundle.card import card, data_fingerprint
from tlkeras.bundle.write import save


def test_card_says_what_it_is_made_of_and_how_good_it_is(bundle: Bundle) -> None:
    text = card(bundle)
    for fact in ("imagenet", "Apache-2.0", "32 px", "linear", "seed: 7", "4 pictures"):
        assert fact in text
    assert "test: accuracy 90.0% (95 % interval 60.0% to 98.0%, 10 pictures)" in text
    assert data_fingerprint(bundle) in text


def test_card_counts_pictures_of_each_class_and_part(bundle: Bundle) -> None:
    assert "| äpple | 1 | 0 | 0 |" in card(bundle)
    assert "| #4 | 0 | 0 | 1 |" in card(bundle)


def test_names_show_as_they_are(bundle: Bundle) -> None:
    text = card(bundle)
    assert r"| zebra \| \<b\> | 1 | 0 | 0 |" in text
    assert r"tiny_\[net\]" in text


def test_fingerprint_changes_with_a_label_and_not_with_order_or_place(bundle: Bundle) -> None:
    rows = bundle.manifest
    moved = [{**row, "path": "elsewhere"} for row in reversed(rows)]
    relabelled = [{**rows[0], "label": "#4"}, *rows[1:]]
    same = dataclasses.replace(bundle, manifest=moved)
    other = dataclasses.replace(bundle, manifest=relabelled)
    assert data_fingerprint(same) == data_fingerprint(bundle) != data_fingerprint(other)


def test_code_for_plain_keras_runs(
    bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = save(bundle, tmp_path / "this" / "folder")
    pixels = np.random.default_rng(1).integers(0, 255, (11, 17, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.jpg", format="PNG")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    exec(blocks[1], {})
    expected = bundle.model(pixels[None].astype(np.float32)).numpy()[0]
    label, probability = capsys.readouterr().out.rsplit(maxsplit=1)
    assert label.strip() == bundle.class_names[expected.argmax()].strip()
    assert float(probability) == pytest.approx(expected.max(), abs=1e-5)
