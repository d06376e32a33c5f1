"""Vision networks of transformers: by architecture, or by the name of a repository."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from milan_core.core.errors import UserError
from milan_core.core.hub import note_read, repository
from milan_core.networks.adapters.reach import is_unreached, unreached


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
    """
    from transformers import AutoConfig, AutoModel

    if wanted := repository(name, kwargs.get("revision")):
        name = wanted.name
        if wanted.revision is not None:
            kwargs["revision"] = wanted.revision
    try:
        if pretrained:
            kwargs.setdefault("use_safetensors", True)
            model = AutoModel.from_pretrained(name, trust_remote_code=False, **kwargs)
        else:
            config = AutoConfig.from_pretrained(name, trust_remote_code=False, **kwargs)
            model = AutoModel.from_config(config)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        if wanted and is_unreached(error):
            raise UserError(unreached(f"hf:{name}", reason)) from None
        raise UserError(f"hf:{name} cannot be loaded: {reason}") from None
    if wanted:
        note_read(wanted, kwargs.get("cache_dir"))
    return getattr(model, "vision_model", model)
