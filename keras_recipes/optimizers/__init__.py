"""Optimizers whose momentum may be a schedule, and an optimizer by its name."""

from keras_recipes.optimizers.factory import make_optimizer
from keras_recipes.optimizers.following import can_follow_momentum, follow
from keras_recipes.optimizers.momentum import SGD, Adam, AdamW, Nadam
from keras_recipes.optimizers.proximal import ProximalSGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Nadam",
    "ProximalSGD",
    "can_follow_momentum",
    "follow",
    "make_optimizer",
]
