"""Decoding: strategies x lambda x beam size on annotated networks."""
