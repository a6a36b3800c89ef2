"""What ends a training run."""

from model.errors import ModelError


class TrainingError(ModelError):
    """A run that cannot begin or go on."""
