"""Choices kept on disk, so that a trial runs once a backbone, machine and set of packages."""

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tlkeras.backbones.foreign.doors import read_json
from tlkeras.disk import write_bytes
from tlkeras.features.engines.choice import TOLERANCES, Choice
from tlkeras.features.engines.hardware import Hardware, hardware

logger = logging.getLogger(__name__)

_FORMAT = 1
_PACKAGES = ("tensorflow", "onnxruntime", "openvino", "ai-edge-litert")


def trial_key(fingerprint: str, candidates: Iterable[str], machine: Hardware | None = None) -> str:
    """Text that is the same whenever a trial would end the same.

    Args:
        fingerprint: of the backbone and what it is to compute in.
        candidates: names of the engines that are tried.
        machine: what they run on; None: this one.

    >>> trial_key("3fa9", ["litert", "openvino"]) == trial_key("3fa9", ["openvino", "litert"])
    True
    """
    told = {
        "backbone": fingerprint,
        "candidates": sorted(candidates),
        "machine": asdict(machine or hardware()),
        "packages": {name: _version(name) for name in _PACKAGES},
    }
    return json.dumps(told, sort_keys=True)


def remember(folder: Path, key: str, choice: Choice) -> None:
    """Keep a choice under its key; a folder that cannot be written is told in the log only.

    Example::

        remember(cache_folder(), trial_key(fingerprint, candidates), choice)
    """
    kept = {
        "name": choice.name,
        "precision": choice.precision,
        "rates": dict(choice.rates),
        "difference": choice.difference,
        "dropped": dict(choice.dropped),
    }
    told = {"format": _FORMAT, "key": key, "choice": kept}
    try:
        write_bytes(_file(folder, key), json.dumps(told, indent=1).encode("utf-8"))
    except OSError as err:
        logger.info("the choice of an engine is not kept: %s", err)


def remembered(folder: Path, key: str) -> Choice | None:
    """The choice kept under this key; None where there is none, or what is there is damaged.

    Example::

        choice = remembered(cache_folder(), key)
        engine = candidates[choice.name]() if choice else None
    """
    file = _file(folder, key)
    if not file.exists():
        return None
    try:
        return _read(read_json(file), key)
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        logger.info("a choice of an engine that was kept cannot be read: %s", err)
        return None


def _read(told: Any, key: str) -> Choice | None:
    if told["format"] != _FORMAT or told["key"] != key:
        return None
    kept = told["choice"]
    rates = {str(name): float(rate) for name, rate in kept["rates"].items()}
    dropped = {str(name): str(reason) for name, reason in kept["dropped"].items()}
    if kept["name"] not in rates or kept["precision"] not in TOLERANCES:
        return None
    return Choice(kept["name"], kept["precision"], rates, float(kept["difference"]), dropped)


def _file(folder: Path, key: str) -> Path:
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
