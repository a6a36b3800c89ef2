"""Files that a command was asked to write."""

from pathlib import Path

from service.cli.terminal import stop


def write_file(file: Path, text: str, failed: int) -> None:
    """Write a file whole or not at all, its folder made where there is none.

    Args:
        file: Where.
        text: What; what UTF-8 cannot say, as in the name of a folder that is no text, is escaped as JSON does.
        failed: Exit status where the folder cannot be made.

    Raises:
        ModelError: The file cannot be written.
    """
    from model.weights.atomic import write_atomically

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        stop(f"The folder {file.parent} cannot be made: {error.strerror}. Give another place.", failed)
    write_atomically(file, text.encode(errors="backslashreplace"))
