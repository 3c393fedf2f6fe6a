"""Linear baselines: regression and classification by gradient descent or in closed form."""

from keras_recipes.linear.coefficients import CoefficientTable, coefficient_table
from keras_recipes.linear.models import build_linear_regression, build_logistic_regression
from keras_recipes.linear.normal_equation import solve_normal_equation
from keras_recipes.linear.perceptron import PerceptronLoss, SparsePerceptronLoss, build_perceptron
from keras_recipes.linear.predictions import predict_log_odds, predict_odds, predict_probabilities

__all__ = [
    "CoefficientTable",
    "PerceptronLoss",
    "SparsePerceptronLoss",
    "build_linear_regression",
    "build_logistic_regression",
    "build_perceptron",
    "coefficient_table",
    "predict_log_odds",
    "predict_odds",
    "predict_probabilities",
    "solve_normal_equation",
]
