"""The zoo's drawn scenes: their facts, pixels, words, and expressions over facts."""
