"""The captioner: features of a unit's exemplars in, an English description out (MILAN section 3.2).

Modules, from the bottom up: `settings` (numbers), `decoder` (p(d|E)), `language_model` (p(d)),
`search` (beam search), `rerank` (weighted mutual information), `captioner` (the object users hold),
`checkpoint`, `release` and `torch_zip` (files), `pairs`, `fitting` and `train` (training).
"""
