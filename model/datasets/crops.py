"""What every reader gives: crops with the labels that training and evaluation need."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from model.errors import ModelError
from model.pictures import to_rgb


class DatasetError(ModelError):
    """Data that is missing, has another layout than expected, or is too little for its purpose."""


@dataclass(frozen=True, slots=True)
class LabelledCrop:
    """One crop of one vehicle.

    Attributes:
        path: The picture.
        vehicle: Identity of the vehicle, unique in its data set.
        camera: The camera that took it; "" where the data set does not say.
        vehicle_type: Car, truck ... where the data set says so.
        caption: The vehicle in words, where the data set has them.
    """

    path: Path
    vehicle: str
    camera: str
    vehicle_type: str | None = None
    caption: str | None = None

    def open(self) -> Image.Image:
        """Decode the picture: upright as its EXIF says, RGB by `model.pictures.to_rgb`, as the service does.

        Raises:
            DatasetError: There is no such file, or it is not a picture that can be decoded.
        """
        try:
            with Image.open(self.path) as picture:
                return to_rgb(ImageOps.exif_transpose(picture))
        except FileNotFoundError as error:
            raise DatasetError(f"The crop {self.path} is listed but not there: is the data set complete?") from error
        except Exception as error:
            # Pillow's decoders raise nearly any exception on damaged files (OSError, SyntaxError, struct.error ...).
            raise DatasetError(f"The crop {self.path} cannot be decoded: {error}") from error


@dataclass(frozen=True, slots=True)
class Crops:
    """The crops of one list of a data set, in the list's order.

    Attributes:
        name: What to call the list in messages and tables.
        items: The crops.
    """

    name: str
    items: tuple[LabelledCrop, ...]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[LabelledCrop]:
        return iter(self.items)

    @property
    def vehicles(self) -> NDArray[np.str_]:
        """Identity of each crop, shape (N,)."""
        return np.array([crop.vehicle for crop in self.items])

    @property
    def cameras(self) -> NDArray[np.str_]:
        """Camera of each crop, shape (N,)."""
        return np.array([crop.camera for crop in self.items])

    @property
    def identities(self) -> list[str]:
        """The vehicles shown, each once, sorted; the position is the class label in training."""
        return sorted({crop.vehicle for crop in self.items})

    def labels(self) -> NDArray[np.int64]:
        """Class label of each crop: the position of its vehicle in `identities`, shape (N,)."""
        position = {vehicle: label for label, vehicle in enumerate(self.identities)}
        return np.array([position[crop.vehicle] for crop in self.items], dtype=np.int64)

    def need_identities(self, least: int = 2) -> None:
        """Refuse a list that shows too few vehicles to tell one from another.

        Raises:
            DatasetError: Fewer than `least` vehicles are shown.
        """
        if (found := len(self.identities)) < least:
            raise DatasetError(
                f"{self.name} shows {found} vehicle(s) in {len(self)} crop(s); "
                f"telling vehicles apart needs at least {least}."
            )
