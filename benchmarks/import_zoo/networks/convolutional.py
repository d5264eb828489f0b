"""Convolutional networks that are neither residual nor for phones, from timm."""

from functools import partial

from .timm_door import picture_network

plain = partial(picture_network, plain=True)

NETWORKS = (
    plain("vgg11_bn", "VGG", size=(224, 256), mlp_ratio=0.125),
    plain("inception_v3", "Inception V3", size=(107, 139)),
    plain("inception_v4", "Inception V4", size=(107, 139)),
    plain("xception41", "Xception"),
    plain("hgnetv2_b0", "HGNet V2"),
    plain("selecsls42b", "SelecSLS"),
    plain("convnext_tiny", "ConvNeXt"),
    plain("convnextv2_atto", "ConvNeXt V2"),
    plain("inception_next_atto", "InceptionNeXt"),
    plain("poolformer_s12", "PoolFormer"),
)
