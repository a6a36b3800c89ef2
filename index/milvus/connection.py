"""The one place that speaks to Milvus: every call with a deadline, every failure as one error."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import grpc
import numpy as np
from numpy.typing import NDArray
from pymilvus import CollectionSchema, MilvusClient, MilvusException
from pymilvus.exceptions import ErrorCode, ParamError
from pymilvus.milvus_client.index import IndexParams

from index.errors import IndexUnavailableError
from index.milvus.rows import Row

MAX_HITS: Final = 16_384
"""Milvus answers a search or a query with so many rows at most."""

_MESSAGE_BYTES: Final = 16 * 2**20
"""Milvus' own limit is 64 MiB; a quarter leaves room for what encoding adds."""

_LONGEST_LIST: Final = 1000
_NOT_LOADED: Final = 101


class CollectionGoneError(IndexUnavailableError):
    """A collection is not there any more: another process dropped it since this one read the state."""


class Connection:
    """A client of one Milvus server.

    Args:
        url: `http://host:19530`, `https://user:password@host:19530/database`, or the path of a file for Milvus Lite.
        timeout_s: Seconds after which a call has failed.

    Raises:
        IndexUnavailableError: The server cannot be reached.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._timeout = timeout_s
        arguments = _arguments(url)
        self._name = arguments["uri"]
        with self._answering():
            self._client = MilvusClient(timeout=timeout_s, **arguments)
            self._lite = "lite" in str(self._client.get_server_version(timeout=timeout_s))

    @property
    def indexes_arrays(self) -> bool:
        """Whether an index over an array field can be had. Milvus Lite has none and looks through all rows."""
        return not self._lite

    def collections(self) -> list[str]:
        """Names of all collections."""
        with self._answering():
            return list(self._client.list_collections(timeout=self._timeout))

    def exists(self, name: str) -> bool:
        """Whether there is a collection of a name."""
        with self._answering():
            return bool(self._client.has_collection(name, timeout=self._timeout))

    def create(self, name: str, schema: CollectionSchema, indexes: IndexParams) -> None:
        """Create a collection and have it loaded, unless it is there."""
        with self._answering():
            if not self._client.has_collection(name, timeout=self._timeout):
                self._client.create_collection(name, schema=schema, consistency_level="Strong", timeout=self._timeout)
            for one in indexes:
                # the writer that created the collection may have died before it had all its indexes
                if not self._client.list_indexes(name, field_name=one.field_name, timeout=self._timeout):
                    missing = MilvusClient.prepare_index_params()
                    missing.add_index(one.field_name, **one.get_index_configs())
                    # an empty collection has nothing to wait for
                    self._client.create_index(name, missing, timeout=self._timeout, sync=False)
            self._client.load_collection(name, timeout=self._timeout)

    def drop(self, name: str) -> None:
        """Drop a collection with all that it holds."""
        with self._answering():
            self._client.drop_collection(name, timeout=self._timeout)

    def upsert(self, name: str, rows: Sequence[Row], row_bytes: int) -> None:
        """Write rows, replacing those of the same primary key; a row at a time is replaced as one step."""
        size = rows_at_once(row_bytes)
        with self._answering():
            for start in range(0, len(rows), size):
                self._client.upsert(name, list(rows[start : start + size]), timeout=self._timeout)

    def delete(self, name: str, expression: str) -> None:
        """Delete the rows that an expression holds for."""
        with self._answering():
            self._loaded(name, self._client.delete, filter=expression, timeout=self._timeout)

    def count(self, name: str, expression: str) -> int:
        """How many rows an expression holds for."""
        return int(self.rows(name, expression, ["count(*)"])[0]["count(*)"])

    def rows(self, name: str, expression: str, fields: Sequence[str]) -> list[Mapping[str, Any]]:
        """Fields of the rows that an expression holds for, which must be few."""
        with self._answering():
            found = self._loaded(
                name,
                self._client.query,
                filter=expression,
                output_fields=list(fields),
                timeout=self._timeout,
                consistency_level="Strong",
            )
            return list(found)

    def pages(
        self, name: str, expression: str, fields: Sequence[str], row_bytes: int
    ) -> Iterator[list[Mapping[str, Any]]]:
        """The same of any number of rows, page by page in the order of the primary key."""
        with self._answering():
            iterator = self._loaded(
                name,
                self._client.query_iterator,
                filter=expression,
                output_fields=list(fields),
                batch_size=rows_at_once(row_bytes),
                timeout=self._timeout,
                consistency_level="Strong",
            )
        try:
            while True:
                with self._answering():
                    page = iterator.next()
                if not page:
                    return
                yield list(page)
        finally:
            iterator.close()

    def nearest(
        self,
        name: str,
        queries: NDArray[np.float32],
        limit: int,
        *,
        expression: str,
        parameters: Mapping[str, Any],
        fields: Sequence[str],
    ) -> list[list[Mapping[str, Any]]]:
        """For each query the rows of the largest inner products, best first, with Milvus' score as `distance`."""
        with self._answering():
            found = self._loaded(
                name,
                self._client.search,
                data=list(queries),
                filter=expression,
                limit=limit,
                output_fields=list(fields),
                search_params={"metric_type": "IP", "params": dict(parameters)},
                anns_field="embedding",
                timeout=self._timeout,
                consistency_level="Strong",
            )
            return [[{**hit["entity"], "distance": hit["distance"]} for hit in hits] for hits in found]

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _loaded(self, name: str, ask: Callable[..., Any], **arguments: Any) -> Any:  # noqa: ANN401 - pymilvus has no types
        """What Milvus answers, the collection loaded once more where a restart or a person has released it."""
        try:
            return ask(name, **arguments)
        except MilvusException as error:
            if error.code != _NOT_LOADED:
                raise
        self._client.load_collection(name, timeout=self._timeout)
        return ask(name, **arguments)

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except ParamError:
            raise  # a call that no server would understand is a defect here
        except MilvusException as error:
            if error.code == ErrorCode.COLLECTION_NOT_FOUND:
                raise CollectionGoneError(f"Milvus at {self._name} has dropped a collection in use") from error
            raise self._unavailable(error) from error
        except (grpc.RpcError, grpc.FutureTimeoutError, OSError) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> IndexUnavailableError:
        return IndexUnavailableError(
            f"Milvus at {self._name} does not answer ({type(error).__name__}); check that it runs and can be reached"
        )


def rows_at_once(row_bytes: int) -> int:
    """How many rows of a size go into one message."""
    return max(1, min(_LONGEST_LIST, _MESSAGE_BYTES // row_bytes))


def hits_at_once(row_bytes: int) -> int:
    """How many hits of a size one answer can hold."""
    return max(1, min(MAX_HITS, 2 * _MESSAGE_BYTES // row_bytes))


def _arguments(url: str) -> dict[str, Any]:
    """What pymilvus wants to be told; credentials apart from the address, so that no message shows them."""
    if "://" not in url:
        # pymilvus asks every 10 s whether a server is alive. Milvus Lite has gRPC's own limit of one question in five
        # minutes, hangs up on a busy client that asks more often, and lives in this process anyway.
        return {"uri": url, "grpc_options": {"grpc.keepalive_time_ms": 600_000}}
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or parts.hostname is None:
        raise ValueError("the address of Milvus must begin with http:// or https:// and name a host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    arguments: dict[str, Any] = {"uri": f"{parts.scheme}://{host}:{parts.port or 19530}"}
    if parts.password is not None:
        arguments |= {"user": unquote(parts.username or ""), "password": unquote(parts.password)}
    elif parts.username:
        arguments["token"] = unquote(parts.username)
    if database := parts.path.strip("/"):
        arguments["db_name"] = unquote(database)
    return arguments
