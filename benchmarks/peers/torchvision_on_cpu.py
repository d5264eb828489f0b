"""torchvision beside a torch built for processors alone; import this before timm or fastai.

PyPI has torchvision for CUDA only. Its compiled part does not load then, and importing it stops at
two operators that only detectors use: they are declared here, and never called.
"""

import torch

SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def declare() -> torch.library.Library | None:
    """The library that holds the declarations; None where torchvision has its own."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        pass
    else:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(name + SIGNATURE)
    return library


DECLARED = declare()  # kept: with the library its operators go
