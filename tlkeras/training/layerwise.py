"""AdamW whose rate rises, falls, and is lower for deeper layers.

    rate(step, layer) = learning_rate · warm-up then cosine(step) · decay ^ depth(layer)

Deep layers hold general features that small data should bend least: J. Howard and S. Ruder,
"Universal Language Model Fine-tuning for Text Classification", 2018 (discriminative rates);
I. Loshchilov and F. Hutter, "SGDR", 2017 (the cosine).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import keras

GROUPS = 5  # one optimizer each; Keras has one rate an optimizer


class WarmCosine(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises linearly for some steps, then follows a cosine down to nothing."""

    def __init__(self, peak: float, steps: int, warmup_steps: int) -> None:
        self.peak = peak
        self.steps = steps
        self.warmup_steps = warmup_steps

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        """The rate at a step, a scalar float32 tensor."""
        step = keras.ops.cast(step, "float32") + 1.0
        rising = step / max(1, self.warmup_steps)
        share = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        falling = 0.5 * (1.0 + keras.ops.cos(3.141592653589793 * keras.ops.clip(share, 0.0, 1.0)))
        return self.peak * keras.ops.minimum(rising, falling)

    def get_config(self) -> dict[str, float]:
        """The constructor's arguments."""
        return {"peak": self.peak, "steps": self.steps, "warmup_steps": self.warmup_steps}


@dataclass(frozen=True)
class DepthGroup:
    """Variables of neighbouring layers, and the optimizer that moves them."""

    optimizer: keras.optimizers.Optimizer
    variables: list[keras.Variable]


def depth_groups(
    layers: Sequence[keras.Layer], rate: WarmCosine, depth_decay: float, weight_decay: float
) -> list[DepthGroup]:
    """AdamW optimizers for layers from deep to top, at rates that rise to `rate`.

    Args:
        layers: those with trainable weights, the deepest first; the last one is the head's.
        rate: of the last group, the head and what is near it.
        depth_decay: the deepest group's rate as a share of the last one's.
        weight_decay: AdamW's decay, in proportion to each group's rate.
    """
    count = min(GROUPS, len(layers))
    cuts = [round(index * len(layers) / count) for index in range(count + 1)]
    groups = []
    for index, (start, end) in enumerate(pairwise(cuts)):
        share = depth_decay ** ((count - 1 - index) / max(1, count - 1))
        variables = [v for layer in layers[start:end] for v in layer.trainable_variables]
        schedule = WarmCosine(rate.peak * share, rate.steps, rate.warmup_steps)
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay)
        optimizer.build(variables)
        groups.append(DepthGroup(optimizer, variables))
    return groups
