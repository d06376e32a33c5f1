"""The vectors a captioner reads: masked pooling of a frozen network's feature maps."""
