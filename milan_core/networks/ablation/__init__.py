"""Accuracy of a network with some of its units ablated, without running all of it again.

`AblationEngine` is the interface; the other modules are its parts:

- `passes`: predictions of a batch of images without each of many sets of units;
- `recording`: the calls of one forward pass, and which of them an ablation cannot change;
- `replay`: a forward pass in which those calls return what they returned before;
- `methods`: ways to run many ablations at once, from fastest to plainest;
- `choice`: which of them serves a layer;
- `closed_form`: the last layer, where an ablation is one column of a matrix;
- `replacement`: what an ablated unit gives instead of its activation.
"""

from milan_core.networks.ablation.engine import AblationEngine
from milan_core.networks.ablation.images import PreparedImages

__all__ = ["AblationEngine", "PreparedImages"]
