"""Bodies that come packed, though nobody asks for that; imported for the first of them, as httpx takes 5 MB."""

from collections.abc import AsyncIterable, AsyncIterator

import httpx

from zerotouch_platform.vapi.answers import PackedWrongly


async def unpacked(chunks: AsyncIterable[bytes], encoding: str) -> AsyncIterator[bytes]:
    """The body piece by piece. Raises :class:`PackedWrongly` where it is not in the encoding."""
    packed = httpx.Response(200, headers={"content-encoding": encoding}, content=chunks)
    try:
        async for piece in packed.aiter_bytes():
            yield piece
    except httpx.DecodingError as error:
        raise PackedWrongly from error
