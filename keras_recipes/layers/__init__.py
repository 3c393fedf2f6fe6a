"""Layers: dropout that stays on at inference, a randomized ReLU, and a bound on weight norms."""

from keras_recipes.layers.max_norm import MaxNorm
from keras_recipes.layers.mc_alpha_dropout import MCAlphaDropout
from keras_recipes.layers.mc_dropout import MCDropout
from keras_recipes.layers.rrelu import RReLU

__all__ = ["MCAlphaDropout", "MCDropout", "MaxNorm", "RReLU"]
