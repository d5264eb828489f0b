"""Transformers and mixers for pictures, from timm."""

from functools import partial

from .timm_door import picture_network

built_for = partial(picture_network, tell_size=True)

NETWORKS = (
    built_for("vit_tiny_patch16_224", "ViT"),
    built_for("deit_tiny_distilled_patch16_224", "DeiT"),
    built_for("swin_tiny_patch4_window7_224", "Swin", size=(112, 224)),
    built_for("swinv2_tiny_window8_256", "Swin V2", size=(128, 256)),
    built_for("mixer_s32_224", "MLP-Mixer", size=(96, 160)),
    built_for("resmlp_12_224", "ResMLP"),
    built_for("gmlp_ti16_224", "gMLP"),
    built_for("cait_xxs24_224", "CaiT"),
    built_for("eva02_tiny_patch14_224", "EVA-02", size=(84, 112), fused_attention=False),
    picture_network("pvt_v2_b0", "PVT V2"),
    built_for("pit_ti_224", "PiT"),
    picture_network("levit_128s", "LeViT", size=(224, 224)),
    built_for("coat_lite_tiny", "CoaT"),
    picture_network("xcit_nano_12_p16_224", "XCiT"),
)
