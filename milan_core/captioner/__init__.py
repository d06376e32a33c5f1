"""The MILAN captioner: p(d | E), the language model p(d), and decoding (paper section 3)."""
