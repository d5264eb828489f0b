"""The machine that engines run on: its processor, the cores this process may use, its units."""

import platform
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tlkeras.threads import cores

_CPUINFO = Path("/proc/cpuinfo")

# Flags that decide how fast a network runs, by Linux's names on x86 and Arm.
_X86 = {"avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16"}
_AMX = {"amx_tile", "amx_bf16", "amx_int8", "amx_fp16"}
_ARM = {"asimd", "asimddp", "asimdhp", "i8mm", "bf16", "sve", "sve2", "sme"}
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


@dataclass(frozen=True)
class Hardware:
    """What decides which engine is fastest, apart from the network.

    Args:
        processor: its name, as the system tells it.
        cores: how many of them this process may use.
        units: its vector and matrix units, by Linux's names, sorted; none where not told.
    """

    processor: str
    cores: int
    units: tuple[str, ...]


def hardware() -> Hardware:
    """The machine this process runs on.

    >>> hardware().cores >= 1
    True
    """
    return Hardware(processor_name(), cores(), units())


def processor_name() -> str:
    """The processor's name, "unknown" where the system does not tell.

    >>> len(processor_name()) > 0
    True
    """
    told = _fields()
    name = told.get("model name") or told.get("cpu model") or platform.processor()
    return name or platform.machine() or "unknown"


def units() -> tuple[str, ...]:
    """Vector and matrix units of the processor by Linux's names; empty where not told.

    Example::

        units()             # ("amx_bf16", "amx_int8", "amx_tile", "avx", "avx2", …)
    """
    told = _fields()
    return tuple(
        sorted(
            (_X86 | _AMX | _ARM) & set((told.get("flags") or told.get("Features") or "").split())
        )
    )


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16 itself; False where the system does not tell.

    >>> has_bfloat16() in (True, False)
    True
    """
    return bool(_BFLOAT16 & set(units()))


@lru_cache(maxsize=1)
def _fields() -> dict[str, str]:
    """Fields of the first processor in /proc/cpuinfo; empty where there is none."""
    try:
        first = _CPUINFO.read_text(errors="replace").split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}
