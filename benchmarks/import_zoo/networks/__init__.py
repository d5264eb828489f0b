"""The networks of the zoo, by name: the sources, one file each."""

from . import (
    attention,
    classics,
    convolutional,
    dense_prediction,
    mobile,
    residual,
    sequence,
)
from .network import Input, Network

SOURCES = (residual, mobile, convolutional, attention, classics, dense_prediction, sequence)
NETWORKS: dict[str, Network] = {
    network.name: network for source in SOURCES for network in source.NETWORKS
}

__all__ = ["NETWORKS", "Input", "Network"]
