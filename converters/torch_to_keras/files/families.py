"""Which network the names of a state_dict look like, for the message that asks for it.

Names tell the family, and often the size; they never tell strides, activations or paddings, which
is why a network cannot be rebuilt from its weights alone.
"""

import re
from collections.abc import Collection

# A name that only this family has → what it is called, where it can be had.
FAMILIES: tuple[tuple[str, str], ...] = (
    (r"encoder\.layer\.0\.attention\.self\.query\.weight", "BERT (transformers)"),
    (r"blocks\.0\.attn\.qkv\.weight", "a ViT or DeiT (timm vit_*, deit_*)"),
    (r"encoder\.layers\.encoder_layer_0\.", "a ViT (torchvision vit_*)"),
    (r"relative_position_bias_table", "a Swin transformer (timm or torchvision swin_*)"),
    (r"stages\.0\.blocks\.0\.(conv_dw|gamma)", "a ConvNeXt (timm convnext_*)"),
    (r"features\.1\.0\.layer_scale", "a ConvNeXt (torchvision convnext_*)"),
    (r"features\.denseblock1\.denselayer1\.", "a DenseNet (torchvision or timm densenet*)"),
    (r"features\.\d+\.squeeze\.weight", "SqueezeNet (torchvision squeezenet1_*)"),
    (r"stage2\.0\.branch2\.0\.weight", "ShuffleNetV2 (torchvision shufflenet_v2_*)"),
    (r"inception3a\.branch1\.conv\.weight", "GoogLeNet (torchvision googlenet)"),
    (r"Mixed_5b\.", "Inception v3 (torchvision or timm inception_v3)"),
    (r"blocks\.0\.0\.(conv_dw|conv_pw)\.weight", "an EfficientNet or MobileNet (timm)"),
    (r"features\.1\.conv\.0\.0\.weight", "MobileNetV2 (torchvision mobilenet_v2)"),
    (r"features\.1\.block\.0\.0\.weight", "MobileNetV3 (torchvision mobilenet_v3_*)"),
    (r"features\.1\.0\.block\.0\.0\.weight", "an EfficientNet (torchvision efficientnet_*)"),
    (r"model\.22\.|model\.0\.conv\.weight", "a YOLO (ultralytics)"),
    (r"base_net\.0\.0\.weight", "an SSD detector (pytorch-ssd, Ultra-Light-Fast)"),
)
# Blocks in the four stages, bottleneck or not → the name in torchvision and timm.
RESNETS: dict[tuple[tuple[int, ...], bool], str] = {
    ((2, 2, 2, 2), False): "resnet18",
    ((3, 4, 6, 3), False): "resnet34",
    ((3, 4, 6, 3), True): "resnet50",
    ((3, 4, 23, 3), True): "resnet101",
    ((3, 8, 36, 3), True): "resnet152",
}


def guess_family(names: Collection[str]) -> str | None:
    """The family that tensors with these names belong to, in words; None where unknown.

    >>> guess_family(["features.3.squeeze.weight", "features.3.expand1x1.weight"])
    'SqueezeNet (torchvision squeezenet1_*)'
    """
    text = "\n".join(names)
    resnet = _guess_resnet(names)
    if resnet:
        return resnet
    for pattern, family in FAMILIES:
        if re.search(rf"(?m)(^|\.){pattern}", text):
            return family
    if re.search(r"(?m)^features\.0\.weight", text) and "classifier.6.weight" in text:
        return "a VGG or AlexNet (torchvision)"
    return None


def _guess_resnet(names: Collection[str]) -> str | None:
    stages: dict[str, set[str]] = {stage: set() for stage in "1234"}
    for name in names:
        found = re.search(r"(?:^|\.)layer([1-4])\.(\d+)\.conv1\.", name)
        if found:
            stages[found[1]].add(found[2])
    blocks = tuple(len(numbers) for numbers in stages.values())
    if not all(blocks):
        return None
    bottleneck = any(re.search(r"layer1\.0\.conv3\.", name) for name in names)
    known = RESNETS.get((blocks, bottleneck))
    if known is None:
        return f"a ResNet with {blocks} blocks (torchvision or timm)"
    return f"{known} (torchvision or timm; ResNeXt and wide ones have the same names)"
