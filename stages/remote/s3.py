"""Stores that speak S3: every read names the ETag that was listed, and is refused if the object is another by now."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from stages.remote.errors import steadily
from stages.remote.stores import Object, check_same, nanoseconds, whole


class S3Store:
    """An S3 store.

    Args:
        file_system: The `s3fs.S3FileSystem`, which has the credentials and the endpoint.
    """

    def __init__(self, file_system: Any) -> None:
        self._fs = file_system

    def pages(self, folder: str) -> Iterator[list[Object]]:
        """Yields everything below a folder, up to 1,000 objects at a time."""
        bucket, _, prefix = folder.partition("/")
        ask = {"Bucket": bucket, "Prefix": f"{prefix.rstrip('/')}/" if prefix else ""}
        while True:
            answer = steadily(f"s3://{folder}", partial(self._fs.call_s3, "list_objects_v2", **ask))
            yield [
                Object(f"{bucket}/{one['Key']}", one["Size"], _tag(one), nanoseconds(one["LastModified"]))
                for one in answer.get("Contents", ())
            ]
            if not answer.get("IsTruncated"):
                return
            ask["ContinuationToken"] = answer["NextContinuationToken"]

    def info(self, key: str) -> Object | None:
        """Returns one object."""
        bucket, _, name = key.partition("/")
        if not name:
            return None
        try:
            one = self._fs.call_s3("head_object", Bucket=bucket, Key=name)
        except FileNotFoundError:
            return None
        return Object(key, one["ContentLength"], _tag(one), nanoseconds(one["LastModified"]))

    def read(self, found: Object, start: int, end: int) -> bytes:
        """Reads a range."""
        from fsspec.asyn import sync

        content: bytes = sync(self._fs.loop, self._get, found, start, end)
        if not found.tag:  # nothing was asked for that another content wouldn't have
            check_same(found, self.info(found.key))
        return whole(content, end - start)

    async def _get(self, found: Object, start: int, end: int) -> bytes:
        bucket, _, name = found.key.partition("/")
        wanted = {"Range": f"bytes={start}-{end - 1}"} | ({"IfMatch": f'"{found.tag}"'} if found.tag else {})
        answer = await self._fs._call_s3("get_object", Bucket=bucket, Key=name, **wanted)
        async with answer["Body"] as body:
            return bytes(await body.read())


def _tag(answer: dict[str, Any]) -> str:
    return str(answer.get("ETag", "")).strip('"')
