"""The media store: bytes by their hash, in a folder or in an S3-compatible bucket.

Each company's bytes are stored apart, so that deleting one company's cannot delete another's.
"""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar, cast

import obstore
from obstore.exceptions import BaseError, GenericError
from obstore.store import LocalStore, ObjectStore, S3Store

from shared.errors import ServiceFailed, SettingsError
from shared.resilience import retries
from shared.resilience.breaker import Breaker, BreakerOpen, Breakers
from shared.resilience.outside import is_neutral
from shared.settings import Settings

if TYPE_CHECKING:
    from obstore.store import ClientConfig  # a name for type checkers alone

_HASH = re.compile(r"[0-9a-f]{64}")
CHUNK_BYTES = 256 * 1024
_TIMEOUT = timedelta(seconds=30)
DEADLINE_S = 30.0
RETRY_AFTER_S = 10.0
T = TypeVar("T")


class MediaStoreUnavailable(ServiceFailed):
    """The folder or bucket cannot be read or written at present."""

    def __init__(self, words: str, *, retry: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(words, retry_after_s=retry_after_s)
        self.retry = retry


def _path(company_id: int, sha256: str) -> str:
    return f"{company_id}/{sha256[:2]}/{sha256}"


@dataclass(frozen=True, slots=True)
class Kept:
    """put_at: when its bytes were put last."""

    sha256: str
    size: int
    put_at: datetime


class Objects:
    """A thread-safe store of objects. Storing the same bytes twice gives one object.

    breaker: of a bucket; each process counts for itself. stopping: once it is set, nothing is waited for.
    """

    def __init__(
        self, store: ObjectStore, breaker: Breaker | None = None, stopping: threading.Event | None = None
    ) -> None:
        self._store, self._breaker, self._stopping = store, breaker, stopping or threading.Event()

    def _do(self, call: Callable[[], T]) -> T:
        """Call the store; a bucket again after what may pass. Raises MediaStoreUnavailable, FileNotFoundError."""
        try:
            if self._breaker is None:
                return self._once(call)
            retrying = retries.retrying_here(retries.STORE, DEADLINE_S, stopping=self._stopping)
            return cast(T, retrying(self._once, call))
        except MediaStoreUnavailable as e:
            if e.retry_after_s is None:
                e.retry_after_s = RETRY_AFTER_S  # for the row
            raise

    def _once(self, call: Callable[[], T]) -> T:
        with self._reaching():
            return call()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Translate errors, and count them for the breaker."""
        try:
            with self._breaker.calling() if self._breaker else nullcontext():
                try:
                    yield
                except FileNotFoundError:
                    raise
                except (BaseError, OSError) as e:
                    # whatever is not the network or 5xx, such as refused keys, is the same a moment later
                    raise MediaStoreUnavailable(type(e).__name__, retry=isinstance(e, GenericError)) from e
        except BreakerOpen as e:
            raise MediaStoreUnavailable("breaker open", retry=False, retry_after_s=e.retry_after_s) from e

    def put(self, company_id: int, sha256: str, content: bytes) -> None:
        """Whole or not at all. Raises MediaStoreUnavailable."""
        path = _path(company_id, sha256)
        self._do(lambda: obstore.put(self._store, path, content, use_multipart=False))

    def get(self, company_id: int, sha256: str) -> bytes | None:
        """None if there is no such object. Raises MediaStoreUnavailable."""
        try:
            return self._do(lambda: bytes(obstore.get(self._store, _path(company_id, sha256)).bytes()))
        except FileNotFoundError:
            return None

    async def stream(self, company_id: int, sha256: str) -> AsyncIterator[bytes] | None:
        """The bytes in pieces; None if there is no such object. Raises MediaStoreUnavailable."""
        try:
            with self._reaching():
                found = await obstore.get_async(self._store, _path(company_id, sha256))
        except FileNotFoundError:
            return None

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(piece)

        return pieces()

    def shelves(self, company_id: int) -> list[str]:
        """The beginnings of the hashes that a company has bytes of, in order: 256 at most. Raises
        MediaStoreUnavailable."""
        found = self._do(lambda: obstore.list_with_delimiter(self._store, f"{company_id}/")["common_prefixes"])
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def on_shelf(self, company_id: int, shelf: str) -> list[Kept]:
        """What lies there, but for what is no hash. Raises MediaStoreUnavailable."""
        prefix = f"{company_id}/{shelf}"
        found = self._do(lambda: [item for page in obstore.list(self._store, prefix) for item in page])
        kept = [Kept(item["path"].rpartition("/")[2], item["size"], item["last_modified"]) for item in found]
        return [one for one in kept if _HASH.fullmatch(one.sha256)]

    def put_at(self, company_id: int, sha256: str) -> datetime | None:
        """When these bytes were put last; None if they are not there. Raises MediaStoreUnavailable."""
        try:
            return self._do(lambda: obstore.head(self._store, _path(company_id, sha256))["last_modified"])
        except FileNotFoundError:
            return None

    def delete(self, company_id: int, sha256: str) -> None:
        """What is not there is deleted. Raises MediaStoreUnavailable."""
        try:
            self._do(lambda: obstore.delete(self._store, _path(company_id, sha256)))
        except FileNotFoundError:
            return


def from_settings(settings: Settings, stopping: threading.Event | None = None) -> Objects:
    """Make the media store. stopping: once it is set, nothing is waited for. Raises SettingsError if the folder cannot
    be made or the bucket's settings are inconsistent."""
    try:
        if settings.media.s3_bucket is None:
            folder = settings.media_folder
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return Objects(LocalStore(folder))
        endpoint = settings.media.s3_endpoint
        options: ClientConfig = {"timeout": _TIMEOUT}
        if endpoint and endpoint.startswith("http://"):
            options["allow_http"] = True
        bucket = settings.media.s3_bucket
        return Objects(
            S3Store(
                bucket,
                endpoint=endpoint,
                region=settings.media.s3_region,
                access_key_id=settings.media.s3_key_id or None,
                secret_access_key=settings.media.s3_secret.get_secret_value() or None,
                disable_bulk_delete=True,  # not every S3-compatible store has it
                client_options=options,
                retry_config={"max_retries": 0, "retry_timeout": _TIMEOUT},  # retries are ours: it tries for 3 minutes
            ),
            Breakers(kind="bucket", neutral=is_neutral).of(bucket), stopping,
        )  # fmt: skip
    except (BaseError, OSError, TypeError, ValueError) as e:
        raise SettingsError(f"the media store cannot be opened ({type(e).__name__}): MEDIA_DIR or MEDIA_S3_…") from None
