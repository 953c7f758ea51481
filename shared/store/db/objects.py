"""The media store: bytes by their hash, in a folder or in an S3-compatible bucket.

Each company's bytes are stored apart, so that deleting one company's cannot delete another's.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from shared.errors import SettingsError, Transient
from shared.settings import Settings

if TYPE_CHECKING:
    from obstore.store import ClientConfig  # a name for type checkers alone

_HASH = re.compile(r"[0-9a-f]{64}")
CHUNK_BYTES = 256 * 1024
_TIMEOUT = timedelta(seconds=30)


class MediaStoreUnavailable(Transient):
    """The folder or bucket cannot be read or written at present."""


def _path(company_id: int, sha256: str) -> str:
    return f"{company_id}/{sha256[:2]}/{sha256}"


@dataclass(frozen=True, slots=True)
class Kept:
    """put_at: when its bytes were put last."""

    sha256: str
    size: int
    put_at: datetime


class Objects:
    """A thread-safe store of objects. Storing the same bytes twice gives one object."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, company_id: int, sha256: str, content: bytes) -> None:
        """Whole or not at all. Raises MediaStoreUnavailable."""
        path = _path(company_id, sha256)
        try:
            obstore.put(self._store, path, content, use_multipart=False)
        except (BaseError, OSError) as e:
            raise MediaStoreUnavailable(type(e).__name__, retry_after_s=10) from e

    def get(self, company_id: int, sha256: str) -> bytes | None:
        """None if there is no such object. Raises MediaStoreUnavailable."""
        try:
            return bytes(obstore.get(self._store, _path(company_id, sha256)).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as e:
            raise MediaStoreUnavailable(type(e).__name__, retry_after_s=10) from e

    async def stream(self, company_id: int, sha256: str) -> AsyncIterator[bytes] | None:
        """The bytes in pieces; None if there is no such object. Raises MediaStoreUnavailable."""
        try:
            found = await obstore.get_async(self._store, _path(company_id, sha256))
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as e:
            raise MediaStoreUnavailable(type(e).__name__, retry_after_s=10) from e

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(piece)

        return pieces()

    def shelves(self, company_id: int) -> list[str]:
        """The beginnings of the hashes that a company has bytes of, in order: 256 at most. Raises
        MediaStoreUnavailable."""
        try:
            found = obstore.list_with_delimiter(self._store, f"{company_id}/")["common_prefixes"]
        except (BaseError, OSError) as e:
            raise MediaStoreUnavailable(type(e).__name__, retry_after_s=10) from e
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def on_shelf(self, company_id: int, shelf: str) -> list[Kept]:
        """What lies there, but for what is no hash. Raises MediaStoreUnavailable."""
        try:
            found = [item for page in obstore.list(self._store, f"{company_id}/{shelf}") for item in page]
        except (BaseError, OSError) as e:
            raise MediaStoreUnavailable(type(e).__name__, retry_after_s=10) from e
        kept = [Kept(item["path"].rpartition("/")[2], item["size"], item["last_modified"]) for item in found]
        return [one for one in kept if _HASH.fullmatch(one.sha256)]

    def put_at(self, company_id: int, sha256: str) -> datetime | None:
        """When these bytes were put last; None if they are not there. Raises MediaStoreUnavailable."""
        try:
            return obstore.head(self._store, _path(company_id, sha256))["last_modified"]
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as e:
            raise MediaStoreUnavailable(type(e).__name__, retry_after_s=10) from e

    def delete(self, company_id: int, sha256: str) -> None:
        """What is not there is deleted. Raises MediaStoreUnavailable."""
        try:
            obstore.delete(self._store, _path(company_id, sha256))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as e:
            raise MediaStoreUnavailable(type(e).__name__, retry_after_s=10) from e


def from_settings(settings: Settings) -> Objects:
    """Make the media store. Raises SettingsError if the folder cannot be made or the bucket's settings are
    inconsistent."""
    try:
        if settings.media.s3_bucket is None:
            folder = settings.media_folder
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return Objects(LocalStore(folder))
        endpoint = settings.media.s3_endpoint
        options: ClientConfig = {"timeout": _TIMEOUT}
        if endpoint and endpoint.startswith("http://"):
            options["allow_http"] = True
        return Objects(
            S3Store(
                settings.media.s3_bucket,
                endpoint=endpoint,
                region=settings.media.s3_region,
                access_key_id=settings.media.s3_key_id or None,
                secret_access_key=settings.media.s3_secret.get_secret_value() or None,
                disable_bulk_delete=True,  # not every S3-compatible store has it
                client_options=options,
            )
        )
    except (BaseError, OSError, TypeError, ValueError) as e:
        raise SettingsError(f"the media store cannot be opened ({type(e).__name__}): MEDIA_DIR or MEDIA_S3_…") from None
