"""`tlkeras rank`: which backbone suits these pictures and this machine."""

from dataclasses import dataclass
from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out


@dataclass(frozen=True)
class Limits:
    """What the options ask of a backbone, and of the ranking's time."""

    minutes: float | None
    max_mb: float | None
    max_ms: float | None
    licences: tuple[str, ...]


def run(
    data: Path,
    backbones: tuple[str, ...],
    limits: Limits,
    plot: Path | None,
    seed: int,
    json: bool,
) -> None:
    """Print the ranking; with `plot`, draw accuracy against time to that file too."""
    ranking = tl.rank(
        data,
        [named(text) for text in backbones] or None,
        minutes=limits.minutes,
        max_mb=limits.max_mb,
        max_ms=limits.max_ms,
        license=limits.licences or None,
        seed=seed,
    )
    if plot:
        from tlkeras import figures

        figures.write(ranking.plot(), plot)
    if json:
        out.as_json({**ranking.to_dict(), **({"plot": str(plot)} if plot else {})})
        return
    out.line(ranking)
    if plot:
        out.line(f"\nAccuracy against time, drawn: {plot}")


def named(text: str) -> str | tuple[str, str]:
    """What NAME=WEIGHTS names; a path that has "=" in it is still a path.

    >>> named("MobileNetV2=mine.weights.h5"), named("runs/a=b.keras")
    (('MobileNetV2', 'mine.weights.h5'), 'runs/a=b.keras')
    """
    name, equals, weights = text.partition("=")
    if not equals or Path(text).exists() or len(Path(name).parts) > 1:
        return text
    return name, weights
