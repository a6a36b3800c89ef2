"""A process that decodes pictures, one at a time, and can be ended whatever it does.

Decoders are C code that strangers' files are given to. Here one that hangs, crashes or takes all memory costs its own
picture, and nothing else of the service is in its memory.
"""

import os
import resource
import signal
import sys
import warnings
from multiprocessing.connection import Connection

import psutil

from service.errors import ServiceError
from service.imaging.decode import ImageDecoder, ImageLimits
from service.imaging.messages import PrepareCrop, pack_answer, unpack_request
from service.imaging.prepared import PreparedPicture, prepare_picture
from service.imaging.rendition import render_jpeg

BYTES_PER_PIXEL = 32
"""Memory that decoding may take for a pixel. A transparent WebP to be turned takes most of what honest files do, 28."""

COPIES_OF_A_FILE = 4
"""Times a file may lie in memory: as it came, in pieces, as a decoder reads it."""

_SPARE_BYTES = 64 * 2**20


def serve(requests: Connection, limits: ImageLimits) -> None:
    """Answer requests until the other end is closed or gone. The body of the process.

    Args:
        requests: Each a line, then a file; each is answered by one message.
        limits: What a picture may be.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the service ends this
    warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which is nothing to tell an operator
    _silence_libraries()
    _limit_memory(limits)
    decoder = ImageDecoder(limits)
    while True:
        try:
            line, data = requests.recv_bytes(), requests.recv_bytes()
        except EOFError:
            return
        requests.send_bytes(pack_answer(_answer(decoder, line, data)))


def _silence_libraries() -> None:
    """Let libtiff's complaints of each damaged row go nowhere, and Python's own errors where they always go."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _limit_memory(limits: ImageLimits) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no file with pictures in it
    if sys.platform != "linux":
        return  # macOS does not keep such a limit
    allowed = psutil.Process().memory_info().vms + _SPARE_BYTES
    allowed += BYTES_PER_PIXEL * limits.max_pixels + COPIES_OF_A_FILE * limits.max_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (allowed if hard == resource.RLIM_INFINITY else min(allowed, hard), hard))


def _answer(decoder: ImageDecoder, line: bytes, data: bytes) -> PreparedPicture | bytes | ServiceError:
    request = unpack_request(line)
    try:
        if isinstance(request, PrepareCrop):
            return prepare_picture(decoder, data, request.side)
        return render_jpeg(decoder.decode(data).picture, request.longest_side)
    except ServiceError as error:
        return error
