"""What photographs show, from packages alone: ImageNet classes, and pixel attributes."""
