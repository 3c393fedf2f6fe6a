"""Monte Carlo dropout: how sure a network is, and whether it is right about that."""

from keras_recipes.uncertainty.calibration import Calibration, calibration
from keras_recipes.uncertainty.deterministic import deterministic
from keras_recipes.uncertainty.mc_prediction import MCPrediction, mc_predict

__all__ = ["Calibration", "MCPrediction", "calibration", "deterministic", "mc_predict"]
