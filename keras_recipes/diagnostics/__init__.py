"""What is wrong with a network: vanishing, exploding, dying, saturated, not self-normalizing."""

from keras_recipes.diagnostics.diagnosis import Diagnosis, diagnose
from keras_recipes.diagnostics.findings import Finding

__all__ = ["Diagnosis", "Finding", "diagnose"]
