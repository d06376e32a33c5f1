"""Vision networks of transformers: by architecture, or by the name of a repository."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.hub import lacking, note_read, repository
from milan_core.networks.adapters.reach import is_unreached, unreached

_log = logging.getLogger(__name__)


def vision_model(architecture: str, config: Mapping[str, Any]) -> nn.Module:
    """A network of a class of transformers, with random weights.

    architecture: for example Dinov2Model or CLIPVisionModel.
    config: values of its configuration; the others keep the defaults of the class.
    """
    import transformers

    found = getattr(transformers, architecture, None)
    if found is None or not hasattr(found, "config_class"):
        msg = f"transformers has no model class {architecture!r}; example: Dinov2Model"
        raise UserError(msg)
    return found(found.config_class(**config))


def hub_model(name: str, pretrained: bool = True, **kwargs: Any) -> nn.Module:
    """`hf:REPOSITORY` or `hf:REPOSITORY@COMMIT`; of text and images the vision tower is taken.

    Only safetensors are read, and no code of the repository is run. The commit that was read is
    noted for the record (`core.hub`).

    Raises:
        UserError: where it cannot be read, or lacks weights, which would be random.

    """
    from transformers import AutoConfig, AutoModel

    if wanted := repository(name, kwargs.get("revision")):
        name = wanted.name
        if wanted.revision is not None:
            kwargs["revision"] = wanted.revision
    try:
        if pretrained:
            kwargs.setdefault("use_safetensors", True)
            model, facts = AutoModel.from_pretrained(
                name, trust_remote_code=False, output_loading_info=True, **kwargs
            )
            _check_weights(name, model, facts)
        else:
            config = AutoConfig.from_pretrained(name, trust_remote_code=False, **kwargs)
            model = AutoModel.from_config(config)
    except UserError:
        raise
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        if wanted and is_unreached(error):
            raise UserError(unreached(f"hf:{name}", reason)) from None
        raise UserError(f"hf:{name} cannot be loaded: {reason}") from None
    if wanted:
        note_read(wanted, kwargs.get("cache_dir"))
    return getattr(model, "vision_model", model)


def _check_weights(name: str, model: nn.Module, facts: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that lacks weights of the images' part; a pooler that it lacks is zero.

    Classifiers are published without the pooler, which would have other numbers in each process.
    """
    vision = "vision_model." if hasattr(model, "vision_model") else ""
    if reason := lacking(facts, vision):
        raise UserError(
            f"hf:{name}: {reason}, of {len(model.state_dict())}; the library would fill them with "
            "random numbers: give the whole checkpoint, in the names of its architecture"
        )
    tensors = model.state_dict()
    poolers = sorted(key for key in facts["missing_keys"] if key.startswith(vision))
    for key in poolers:
        with torch.no_grad():
            tensors[key].zero_()
    if poolers:
        _log.warning("hf:%s has no weights of %s; they are zero", name, ", ".join(poolers))
