"""Untrained weights that make a network sensitive: no default value is left in place.

An untrained network hides bugs: BatchNorm is the identity, LayerScale is 1e-6, outputs hardly
depend on the input. Here every affine, statistic and bias is drawn, and BatchNorm's statistics
are first measured, so that the signal keeps its size through any depth.
"""

import math
import zlib

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .networks.network import Network

NORM_WORDS = ("norm", "bn", "gn")
ACTIVE = 0.8  # BatchNorm's mean shift: most ReLUs let through, else depth amplifies rounding
LEAST_VARIANCE = 0.1  # of the mean squared: a channel that hardly varies is not blown up
SCALE_WORDS = ("gamma", "layer_scale", "ls1", "ls2", "scale", "alpha", "gain")


def randomised(network: Network) -> nn.Module:
    """The network's torch module in evaluation mode, with weights drawn for its name."""
    generator = torch.Generator().manual_seed(zlib.crc32(network.name.encode()))
    with torch.random.fork_rng():  # make() draws from the global generator
        torch.manual_seed(0)
        module = network.make().eval()
    with torch.no_grad():
        _draw_weights(module, generator)
        _settle_batch_norms(module, network, generator)
    return module


def _draw_weights(module: nn.Module, generator: torch.Generator) -> None:
    for owner in module.modules():
        for name, weight in owner.named_parameters(recurse=False):
            if weight.is_floating_point():
                weight.copy_(_draw(owner, name, weight, generator))


def _draw(owner: nn.Module, name: str, weight: nn.Parameter, rng: torch.Generator) -> torch.Tensor:
    kind = type(owner).__name__.lower()
    normal = torch.randn(weight.shape, generator=rng)
    uniform = torch.rand(weight.shape, generator=rng)
    is_norm = any(word in kind for word in NORM_WORDS)
    if (is_norm and "weight" in name) or any(word in name for word in SCALE_WORDS):
        return 0.6 + 0.8 * uniform
    if isinstance(owner, _BatchNorm):
        return ACTIVE + 0.2 * normal
    if isinstance(owner, nn.PReLU):
        return 0.1 + 0.3 * uniform
    if isinstance(owner, nn.RNNBase):
        return (2 * uniform - 1) * 2 / math.sqrt(owner.hidden_size)
    if weight.ndim <= 1:
        return 0.2 * normal
    if isinstance(owner, nn.Embedding):
        return normal
    if isinstance(owner, nn.modules.conv._ConvTransposeNd):
        fan_in = weight.shape[0] / owner.groups
        return normal * math.sqrt(2 / fan_in)
    if isinstance(owner, nn.modules.conv._ConvNd):
        return normal * math.sqrt(2 / weight[0].numel())
    if "weight" in name:
        return normal / math.sqrt(weight.shape[-1])
    return 0.5 * normal  # class tokens, positions, tables of relative positions


def _settle_batch_norms(module: nn.Module, network: Network, rng: torch.Generator) -> None:
    """Statistics near those of what comes in, each off by a factor and a shift of its own.

    One pass from input to output: what a BatchNorm hears has gone through the settled ones.
    """
    settled = set()

    def settle(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if norm in settled:  # one BatchNorm in two places
            return
        settled.add(norm)
        axes = [axis for axis in range(inputs[0].ndim) if axis != 1]
        variance, mean = torch.var_mean(inputs[0], axes)
        least = LEAST_VARIANCE * (mean.square() + variance.mean()) + 1e-6
        variance = variance.maximum(least)
        norm.running_var.copy_(variance * (0.6 + torch.rand(mean.shape, generator=rng)))
        shift = torch.randn(mean.shape, generator=rng) * variance.sqrt()
        norm.running_mean.copy_(mean + 0.2 * shift)

    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    hooks = [norm.register_forward_pre_hook(settle) for norm in norms]
    if norms:
        module(*(torch.from_numpy(values) for values in network.sample(6, seed=1)))
    for hook in hooks:
        hook.remove()
