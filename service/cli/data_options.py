"""The options that say which data set is meant, the same for every command that reads one."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Option(help="Folder of the data set.")]
Layout = Annotated[str, typer.Option(help="Layout of the data set; auto looks at the folder.")]
Pattern = Annotated[
    str | None,
    typer.Option(
        help="Regular expression with the group vehicle, and camera, type: labels from file names.", metavar="REGEX"
    ),
]
Manifest = Annotated[Path | None, typer.Option(help="Table of crops (CSV, Parquet) with the columns file and vehicle.")]
