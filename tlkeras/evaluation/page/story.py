"""What is known of how a classifier came about: the part of the page that answers can't tell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tlkeras.data.checks.findings import Findings
from tlkeras.evaluation.page.contact_sheet import PictureOf


@dataclass(frozen=True, eq=False)
class Story:
    """Plain values beside the answers, each of which may be missing.

    Attributes:
        made_of: backbone, weights, head and the like, in words.
        decisions: what was decided without asking, one sentence each.
        findings: what is odd about the pictures.
        picture_of: gives small pictures for the findings.
        root: folder of the pictures, for commands that correct a label.
        history: one row an epoch, or a setting tried; `phase` says of what.
        vectors: (m, d) float32 embeddings of some of the answered pictures.
        vector_rows: (m,) int, which rows of the answers these are.
        overlays: for some rows of the answers a small picture with its explanation over it.
        temperature: what the scores were divided by before the softmax; 1 changes nothing.
        parity: how far an export's answers are from the model's.
        recipe: every knob.
        versions: of Python and the packages.
        cost: by step of the training: seconds, passes, peak_mb, peak_before_mb.
        missing: why something else is not known, by what it is.

    >>> Story(recipe={"seed": 0}).recipe["seed"]
    0
    """

    made_of: Mapping[str, str] = field(default_factory=dict)
    decisions: Sequence[str] = ()
    findings: Findings | None = None
    picture_of: PictureOf | None = None
    root: Path | None = None
    history: Sequence[Mapping[str, object]] = ()
    vectors: np.ndarray | None = None
    vector_rows: np.ndarray | None = None
    overlays: Mapping[int, bytes] = field(default_factory=dict)
    temperature: float | None = None
    parity: str | None = None
    recipe: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    cost: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


Teller = Callable[[Sequence[int]], Story]
"""Rows of the answers that are shown with pictures → the story, explained pictures in it."""
