"""Monte Carlo dropout: how sure a network is."""

from keras_recipes.uncertainty.mc_prediction import MCPrediction, mc_predict

__all__ = ["MCPrediction", "mc_predict"]
