"""Networks of many families with random weights, and what a layer of each really holds.

Each case names a layer and the axes of its output as a person reads them from the network's code:
`to_units` brings the output for n images to (n, places, units), or is None where rows are not
images, so that the layer has to be refused.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

Output = Callable[[torch.Tensor, int], torch.Tensor]


def maps(out, n):
    """(b, C, h, w)."""
    return out.flatten(2).transpose(1, 2)


def last(out, n):
    """(b, h, w, C), or tokens without a class token."""
    return out.reshape(n, -1, out.shape[-1])


def after(count: int) -> Output:
    """Tokens behind `count` class tokens."""
    return lambda out, n: out[:, count:]


def first(out, n):
    """(T, b, C)."""
    return out.transpose(0, 1)


def vectors(out, n):
    return out[:, None]


@dataclass(frozen=True)
class Case:
    """A network, one of its layers, and the truth about that layer."""

    name: str
    build: Callable[[], nn.Module]
    layer: str
    to_units: Output | None
    side: int = 64
    tokens: dict[str, Any] = field(default_factory=dict)
    axes: str = ""

    def __str__(self) -> str:
        return f"{self.name}-{self.layer}"


def torchvision(name, layer, to_units=maps, side=64, **keys):
    def build():
        import torchvision

        options = (
            {} if "inception" not in name and "googlenet" not in name else {"init_weights": False}
        )
        return torchvision.models.get_model(name, weights=None, **options)

    return Case(f"torchvision {name}", build, layer, to_units, side, **keys)


def timm(name, layer, to_units=maps, side=64, arguments=None, **keys):
    def build():
        import timm as library

        return library.create_model(name, pretrained=False, **(arguments or {}))

    return Case(f"timm {name}", build, layer, to_units, side, **keys)


def transformers(name, layer, to_units=maps, side=64, arguments=None, config=None, **keys):
    def build():
        import transformers as library

        made = getattr(library, config or f"{name.removesuffix('Model')}Config")
        return getattr(library, name)(made(**(arguments or {})))

    return Case(f"transformers {name}", build, layer, to_units, side, **keys)


def open_clip(name, layer, to_units=maps, side=64, vision=None, **keys):
    """The image tower of a configuration of open_clip, `vision` laid over it."""

    def build():
        import open_clip as library
        from open_clip.model import _build_vision_tower

        config = library.get_model_config(name)
        tower = {**config["vision_cfg"], "image_size": side, **(vision or {})}
        if "timm_model_name" in tower:
            tower["timm_model_pretrained"] = False
        return _build_vision_tower(config["embed_dim"], tower, config.get("quick_gelu", False))

    return Case(f"open_clip {name}", build, layer, to_units, side, **keys)


SMALL = {
    "image_size": 64,
    "patch_size": 16,
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
}

TORCHVISION = [
    torchvision("alexnet", "features.3", side=96),
    torchvision("vgg11", "features.8"),
    torchvision("vgg11_bn", "features.11"),
    torchvision("resnet18", "layer2"),
    torchvision("resnet50", "layer3.1.conv2"),
    torchvision("wide_resnet50_2", "layer2"),
    torchvision("resnext50_32x4d", "layer3"),
    torchvision("densenet121", "features.denseblock3"),
    torchvision("squeezenet1_1", "features.6"),
    torchvision("mobilenet_v2", "features.6"),
    torchvision("mobilenet_v3_small", "features.4"),
    torchvision("mnasnet0_5", "layers.8"),
    torchvision("shufflenet_v2_x0_5", "stage3"),
    torchvision("efficientnet_b0", "features.3"),
    torchvision("efficientnet_v2_s", "features.2"),
    torchvision("regnet_y_400mf", "trunk_output.block2"),
    torchvision("googlenet", "inception4a"),
    torchvision("inception_v3", "Mixed_5c", side=96),
    torchvision("convnext_tiny", "features.3"),
    torchvision("convnext_tiny", "features.3.1.block.3", last),
    torchvision("convnext_tiny", "features.3.1.block.4", last),
    torchvision("swin_t", "features.3", last),
    torchvision("swin_t", "features.1.0.mlp.0", last),
    torchvision("swin_v2_t", "features.3.1", last),
    torchvision("maxvit_t", "blocks.1", side=224),
    torchvision("maxvit_t", "blocks.0.layers.0.layers.window_attention.attn_layer.1", None, 224),
    torchvision("vit_b_32", "encoder.layers.encoder_layer_2", after(1), 224),
    torchvision("vit_b_32", "encoder.layers.encoder_layer_3.mlp.0", after(1), 224),
    torchvision("resnet18", "avgpool", lambda out, n: out[:, None, :, 0, 0]),
    torchvision("resnet18", "fc", vectors),
]
TIMM = [
    timm("vit_tiny_patch16_224", "blocks.3", after(1), arguments={"img_size": 64}),
    timm("vit_tiny_patch16_224", "blocks.3.mlp.fc1", after(1), arguments={"img_size": 64}),
    timm(
        "vit_tiny_patch16_224",
        "blocks.3.attn.q_norm",
        None,
        arguments={"img_size": 64, "qk_norm": True},
    ),
    timm(
        "deit_tiny_distilled_patch16_224",
        "blocks.2",
        after(2),
        arguments={"img_size": 64},
        tokens={"class_tokens": 2},
    ),
    timm("deit_tiny_distilled_patch16_224", "blocks.2", None, arguments={"img_size": 64}),
    timm(
        "vit_small_patch14_reg4_dinov2",
        "blocks.1",
        after(5),
        56,
        arguments={"img_size": 56},
        tokens={"class_tokens": 5},
    ),
    timm("beit_base_patch16_224", "blocks.0.mlp.fc1", after(1), arguments={"img_size": 64}),
    timm("cait_xxs24_224", "blocks.2", last, arguments={"img_size": 64}),
    timm("mixer_s16_224", "blocks.1", last, arguments={"img_size": 64}),
    timm("mixer_s16_224", "blocks.1.mlp_channels.fc1", last, arguments={"img_size": 64}),
    timm("resmlp_12_224", "blocks.1", last, arguments={"img_size": 64}),
    timm("poolformer_s12", "stages.1"),
    timm("poolformerv2_s12", "stages.1.blocks.0.mlp.fc1"),
    timm("swin_tiny_patch4_window7_224", "layers.1.blocks.0", last, 224),
    timm("swin_tiny_patch4_window7_224", "layers.1.blocks.0.mlp.fc1", last, 224),
    timm("swin_tiny_patch4_window7_224", "layers.1.blocks.0.attn.proj", None, 224),
    timm(
        "swinv2_tiny_window8_256",
        "layers.0.blocks.0.attn.proj",
        None,
        128,
        arguments={"img_size": 128},
    ),
    timm(
        "maxvit_nano_rw_256",
        "stages.0.blocks.0.attn_block.mlp.fc1",
        last,
        128,
        arguments={"img_size": 128},
    ),
    timm("coatnet_nano_rw_224", "stages.1", maps, 128, arguments={"img_size": 128}),
    timm("mobilevit_xxs", "stages.2.1.transformer.0.mlp.fc1", None),
    timm("mobilevit_xxs", "stages.3"),
    timm("tnt_s_legacy_patch16_224", "blocks.0.mlp_in.fc1", None, 224),
    timm("tnt_s_legacy_patch16_224", "blocks.0", None, 224),
    timm("hiera_tiny_224", "blocks.0.mlp.fc1", None, 224),
    timm("convnext_atto", "stages.2"),
    timm("convnextv2_atto", "stages.2.blocks.0.mlp.fc1"),
    timm("convnext_tiny", "stages.1.blocks.0.mlp.fc1", last),
    timm("efficientnet_b0", "blocks.3"),
    timm("resnest14d", "layer2"),
    timm("res2net50_26w_4s", "layer1"),
    timm("hrnet_w18_small", "stage2.0.branches.1"),
    timm("regnetx_002", "s2"),
    timm("ghostnet_100", "blocks.4"),
    timm("levit_128s", "stages.0", last, 224),
    timm("pvt_v2_b0", "stages.1"),
    timm("twins_pcpvt_small", "blocks.1.0", last),
    timm("edgenext_xx_small", "stages.1"),
    timm("fastvit_t8", "stages.1"),
    timm("repvgg_a0", "stages.1"),
    timm("nest_tiny", "levels.1", maps, 224),
    timm("crossvit_tiny_240", "blocks.0.blocks.0.0", after(1), 240),
    timm("xcit_nano_12_p16_224", "blocks.2", last),
    timm("volo_d1_224", "network.0.0", last, 224),
    timm("eva02_tiny_patch14_224", "blocks.1", after(1), 56, arguments={"img_size": 56}),
    timm("gcvit_xxtiny", "stages.1", maps, 224),
    timm("davit_tiny", "stages.1", maps),
    timm("focalnet_tiny_srf", "layers.1", maps),
    timm("visformer_tiny", "stage2", maps, 224),
    timm("mambaout_femto", "stages.1.blocks.0", last),
]
TRANSFORMERS = [
    transformers("ViTModel", "layers.1", after(1), arguments=SMALL),
    transformers("DeiTModel", "layers.1", after(2), arguments=SMALL, tokens={"class_tokens": 2}),
    transformers("BeitModel", "layers.1", after(1), arguments=SMALL),
    transformers(
        "Dinov2Model",
        "encoder.layer.1",
        after(1),
        arguments={key: value for key, value in SMALL.items() if key != "intermediate_size"},
    ),
    transformers("CLIPVisionModel", "encoder.layers.1.mlp.fc1", after(1), arguments=SMALL),
    transformers("SiglipVisionModel", "encoder.layers.1", last, arguments=SMALL),
    transformers("ConvNextModel", "encoder.stages.1"),
    transformers("ConvNextModel", "encoder.stages.1.layers.0.pwconv1", last),
    transformers("ResNetModel", "encoder.stages.1"),
    transformers("SwinModel", "encoder.layers.0.blocks.0.attention.q_proj", None, 224),
    transformers("SegformerModel", "stages.1.blocks.0", last),
    transformers("PoolFormerModel", "encoder.block.1.0"),
    transformers("ViTMAEModel", "layers.1", None, arguments=SMALL),
    transformers("MobileNetV2Model", "layer.5"),
]
FEW = {"layers": 2}  # blocks of a transformer
OPEN_CLIP = [
    open_clip("ViT-B-32", "transformer.resblocks.1", after(1), 96, FEW),
    open_clip("ViT-B-32", "transformer.resblocks.1.mlp.c_fc", after(1), 96, FEW),
    open_clip("ViT-B-32", "transformer.resblocks.0.attn", after(1), 224, FEW),
    open_clip("ViT-B-32", "conv1", maps, 96, FEW),
    open_clip("ViT-B-32", "ln_post", after(1), 96, FEW),
    open_clip("ViT-B-16-quickgelu", "transformer.resblocks.0.mlp.gelu", after(1), vision=FEW),
    open_clip("ViT-H-14", "transformer.resblocks.1", after(1), 56, FEW),
    open_clip("ViT-bigG-14-CLIPA", "transformer.resblocks.1.ln_2", after(1), 56, FEW),
    open_clip("coca_ViT-B-32", "transformer.resblocks.1", after(1), 96, FEW),
    open_clip("coca_ViT-B-32", "attn_pool.attn", None, 96, FEW),
    open_clip("RN50", "layer2"),
    open_clip("RN50", "layer4.2.conv2"),
    open_clip("RN50", "attnpool", vectors),
    open_clip("RN50x4", "layer3", vision={"layers": [1, 1, 1, 1]}),
    open_clip("convnext_base", "trunk.stages.1"),
    open_clip("convnext_base", "trunk.stages.1.blocks.0.mlp.fc1", last),
    open_clip("swin_base_patch4_window7_224", "trunk.layers.1.blocks.0", last, 224),
    open_clip("swin_base_patch4_window7_224", "trunk.layers.1.blocks.0.attn.proj", None, 224),
    open_clip("vit_medium_patch16_gap_256", "trunk.blocks.1", last, 256),
    open_clip("vit_relpos_medium_patch16_cls_224", "trunk.blocks.1", after(1), 224),
    open_clip("ViT-B-16-SigLIP", "trunk.blocks.1", last, 224),
    open_clip("ViT-B-16-SigLIP", "trunk.blocks.1.mlp.fc1", last, 224),
    open_clip("ViT-B-16-SigLIP2", "trunk.blocks.2", last, 224),
    open_clip("EVA02-B-16", "trunk.blocks.1", after(1), 224),
    open_clip("EVA02-B-16", "trunk.blocks.1.mlp.fc1_g", after(1), 224),
    open_clip("MobileCLIP-S1", "trunk.stages.1"),
    open_clip("MobileCLIP2-S0", "trunk.stages.2"),
    open_clip("ViTamin-S", "trunk.blocks.1", last, 224),
    open_clip("PE-Core-T-16-384", "trunk.blocks.1", after(1), 384),
]
