"""The one family of errors that the model package raises. Every message says what to do about it."""


class ModelError(Exception):
    """Base of every error of the model package."""


class PresetError(ModelError):
    """No such preset, or a preset file that makes no sense."""


class WeightsError(ModelError):
    """A weights file that is missing, damaged, of an unknown layout or made for another network."""


class InputError(ModelError, ValueError):
    """Images or labels of a shape, type or range that the network does not take."""


class DeviceError(ModelError):
    """No such device, or not on this machine."""


class EmbeddingError(ModelError):
    """The network gave a value that is not finite, so there is no embedding."""
