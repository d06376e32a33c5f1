"""The hard-truth zoo: networks built by hand, whose units are exactly what is said of them."""
