"""Two callables on the same inputs → Parity; the first node that diverges; the certificate."""

from converters.parity.comparison import compare
from converters.parity.result import Divergence, OutputParity, Parity

__all__ = ["Divergence", "OutputParity", "Parity", "certify", "compare"]


def __getattr__(name: str) -> object:
    # The certificate needs the report, which needs Parity: loaded when it is asked for.
    if name != "certify":
        raise AttributeError(f"module 'converters.parity' has no attribute '{name}'")
    from converters.parity.certificate import certify

    return certify
