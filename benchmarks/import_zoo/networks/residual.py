"""Residual networks and their kin, from timm."""

from functools import partial

from .timm_door import picture_network

plain = partial(picture_network, plain=True)

NETWORKS = (
    plain("resnet18", "ResNet"),
    plain("resnet50", "ResNet"),
    plain("resnet26d", "ResNet-D"),
    plain("resnetv2_50", "ResNet-V2"),
    plain("wide_resnet50_2", "Wide ResNet"),
    plain("resnext50_32x4d", "ResNeXt"),
    plain("seresnet18", "SE-Net"),
    picture_network("skresnet18", "SK-Net"),
    plain("res2net50_26w_4s", "Res2Net"),
    plain("regnetx_002", "RegNet X"),
    plain("regnety_002", "RegNet Y"),
    plain("densenet121", "DenseNet"),
    plain("dpn68", "DPN"),
    plain("dla34", "DLA"),
    plain("hrnet_w18_small", "HRNet"),
    plain("nf_regnet_b0", "NFNet"),
    plain("repvgg_a0", "RepVGG"),
    plain("ese_vovnet19b_dw", "VoVNet"),
    plain("darknet53", "Darknet"),
    plain("cspdarknet53", "CSPDarknet"),
    plain("cspresnet50", "CSPNet"),
)
