"""The options that say with what right a running service is asked, the same for every command that asks one."""

from typing import Annotated

import typer

ApiKey = Annotated[
    str | None,
    typer.Option(
        envvar="CLIP_SENET_API_KEY",
        help="Key, where the service asks for one. Other users of this machine can read the options of a command, but "
        "not its environment.",
        metavar="KEY",
        show_default=False,
    ),
]
