"""Before a network is mined: which axes of each layer are images, channels and places.

Ten images in three passes settle it (`milan_core.networks.probe.settle`).
"""
