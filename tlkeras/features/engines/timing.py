"""How fast an engine is with all its streams busy, in a fraction of a second."""

from statistics import median
from threading import Thread
from time import perf_counter

import numpy as np

from tlkeras.features.engines.engine import Engine

_LONG = 5  # times the trial: what making a first call costs is then small beside the call


def pictures_per_second(engine: Engine, pixels: np.ndarray, seconds: float = 0.3) -> float:
    """Pictures a second of an engine, from the median call of each of its streams.

    Args:
        engine: the engine; a first round of calls warms it up.
        pixels: pictures (m, h, w, 3); repeated or cut to the engine's batch.
        seconds: how long; where a single call takes longer, the time of that call.

    Example::

        pictures_per_second(onnxruntime_engine("backbone.onnx"), pixels)         # 301.4
    """
    rows = np.take(pixels, np.arange(engine.batch) % len(pixels), axis=0)
    calls = _calls(engine, rows, 0.0)
    if max(map(max, calls)) < _LONG * seconds:
        calls = _calls(engine, rows, seconds)
    return sum(len(rows) / median(durations) for durations in calls)


def _calls(engine: Engine, rows: np.ndarray, seconds: float) -> list[list[float]]:
    """Seconds of every call, a list a stream: one call each, and more until the time is up."""
    durations: list[list[float]] = [[] for _ in range(engine.streams)]
    failures: list[Exception] = []
    stop = perf_counter() + seconds

    def work(mine: list[float]) -> None:
        try:
            while not mine or perf_counter() < stop:
                start = perf_counter()
                engine(rows)
                mine.append(perf_counter() - start)
        except Exception as err:  # raised again below, in the thread that asked
            failures.append(err)

    threads = [Thread(target=work, args=(mine,), daemon=True) for mine in durations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return durations
