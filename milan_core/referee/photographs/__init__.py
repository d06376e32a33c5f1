"""Evidence of photographs from packages alone: ImageNet classes, and pixel attributes."""
