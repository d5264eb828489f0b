"""How far two networks agree: numbers only, nothing of who made them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import onnx


@dataclass(frozen=True)
class OutputParity:
    """One output at one batch size.

    Args:
        name: of the output in the source.
        shape: of what the source gave, the batch first.
        max_abs: largest absolute difference; inf where one is a number and the other is not.
        reference_max: largest absolute value that the source gave.
        max_rel: `max_abs / reference_max`.
        passed: whether `max_rel` is within the tolerance; whole numbers have to be equal.
        worst: index of the largest difference, in the source's axis order.
        varies: whether the source's answer depends on the sample; if not, little is proven.
    """

    name: str
    shape: tuple[int, ...]
    max_abs: float
    reference_max: float
    max_rel: float
    passed: bool
    worst: tuple[int, ...] = ()
    varies: bool = True

    @property
    def batch(self) -> int:
        """The batch size, 1 for an output without axes."""
        return self.shape[0] if self.shape else 1

    @property
    def worst_input(self) -> int:
        """Number of the sample whose answer differs most."""
        return self.worst[0] if self.worst else 0


@dataclass(frozen=True)
class Operator:
    """One node cut out of its network, with the arrays that went into it."""

    model: onnx.ModelProto
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


@dataclass(frozen=True)
class Divergence:
    """The first value of a network, in order of computation, at which two runs differ.

    `after` is the last value before it that was compared and agreed; what lies between the
    two is where the fault is. `order` is the Keras value's axis order against the source's.
    """

    node: str
    op: str
    output: str
    layer: str
    shape: tuple[int, ...]
    max_abs: float
    max_rel: float
    after: str = ""
    order: tuple[int, ...] = ()
    operator: Operator | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return (
            f"{self.op} '{self.node or self.output}' (Keras layer '{self.layer}', shape "
            f"{list(self.shape)}): max abs {self.max_abs:.2g}, max rel {self.max_rel:.2g}"
        )


@dataclass(frozen=True)
class Parity:
    """Agreement of a source and a model on the same random inputs.

    Example::

        parity = converters.compare("resnet50.onnx", model)
        print(parity)
        if not parity.passed:
            parity = converters.compare("resnet50.onnx", model, bisect=True)
            parity.write_operator("suspect.onnx")
    """

    outputs: tuple[OutputParity, ...]
    tolerance: float
    reference: str
    first_divergence: Divergence | None = None

    @property
    def passed(self) -> bool:
        """Whether every output agrees at every batch size."""
        return bool(self.outputs) and all(output.passed for output in self.outputs)

    @property
    def max_abs(self) -> float:
        """Largest absolute difference of all outputs."""
        return max((output.max_abs for output in self.outputs), default=float("inf"))

    @property
    def max_rel(self) -> float:
        """Largest relative difference of all outputs."""
        return max((output.max_rel for output in self.outputs), default=float("inf"))

    def write_operator(self, path: str | Path) -> Path:
        """Write the first operator that diverges as an ONNX file of one node.

        Its weights are inside; the arrays that went in and came out are beside it in an
        `.npz` file of the same name (`inputs/NAME`, `outputs/NAME`).

        Raises:
            ConversionError: nothing diverged, or compare was not told to bisect.
        """
        from converters.parity.operator import write_operator

        return write_operator(self.first_divergence, path)

    def __repr__(self) -> str:
        verdict = "agrees" if self.passed else "DIFFERS"
        return (
            f"Parity({verdict}: max rel {self.max_rel:.2g}, tolerance {self.tolerance:g}, "
            f"against {self.reference})"
        )

    def __str__(self) -> str:
        from converters.report.text import parity_table

        head = (
            f"{'agrees' if self.passed else 'DIFFERS'}: max abs {self.max_abs:.2g}, max rel "
            f"{self.max_rel:.2g} (tolerance {self.tolerance:g}), against {self.reference}"
        )
        first = [f"first divergence: {self.first_divergence}"] if self.first_divergence else []
        return "\n".join([head, *parity_table(self), *first])

    def _repr_html_(self) -> str:
        from converters.report.page import parity_fragment

        return parity_fragment(self)


def relative(difference: float, reference: float) -> float:
    """`difference / reference`, 0 for 0 / 0.

    >>> relative(0.5, 2.0), relative(0.0, 0.0), relative(1.0, 0.0)
    (0.25, 0.0, inf)
    """
    if difference == 0:
        return 0.0
    return difference / reference if reference and isfinite(difference) else float("inf")
