"""Data by name or path, split, encoded and ready for a network."""

from keras_recipes.datasets.dataset import Dataset
from keras_recipes.datasets.loading import load_dataset
from keras_recipes.datasets.prediction import load_pipeline, predict_csv

__all__ = ["Dataset", "load_dataset", "load_pipeline", "predict_csv"]
