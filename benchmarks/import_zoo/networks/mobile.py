"""Networks for phones, from timm."""

from functools import partial

from .timm_door import picture_network

plain = partial(picture_network, plain=True)

NETWORKS = (
    plain("mobilenetv1_100", "MobileNet V1"),
    plain("mobilenetv2_100", "MobileNet V2"),
    plain("mobilenetv3_small_100", "MobileNet V3"),
    plain("mobilenetv3_large_100", "MobileNet V3"),
    plain("mobilenetv4_conv_small", "MobileNet V4"),
    plain("efficientnet_b0", "EfficientNet"),
    plain("tf_efficientnetv2_b0", "EfficientNet V2"),
    plain("tf_efficientnet_lite0", "EfficientNet-Lite"),
    plain("mnasnet_100", "MNASNet"),
    plain("fbnetc_100", "FBNet"),
    plain("rexnet_100", "ReXNet"),
    plain("lcnet_050", "LCNet"),
    plain("ghostnet_100", "GhostNet"),
    plain("mobileone_s0", "MobileOne"),
    plain("starnet_s1", "StarNet"),
    picture_network("mobilevit_xxs", "MobileViT"),
    picture_network("mobilevitv2_050", "MobileViT V2"),
    picture_network("edgenext_xx_small", "EdgeNeXt"),
    picture_network("efficientformer_l1", "EfficientFormer", size=(224, 224)),
)
