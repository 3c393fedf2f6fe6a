"""Search spaces for keras-tuner over all that the recipes can vary."""

from keras_recipes.search_spaces.cnn import CNN
from keras_recipes.search_spaces.default_dnn import DefaultDNN
from keras_recipes.search_spaces.self_normalizing_dnn import SelfNormalizingDNN

__all__ = ["CNN", "DefaultDNN", "SelfNormalizingDNN"]
