"""A client of WatchOrder that reads nothing: raw HTTP/2 with a window of 0 bytes, so that the server may send no DATA
frame until it is opened. A gRPC client cannot do that: it takes what fits its window, whether anybody reads or not."""

import asyncio
import struct
from collections import defaultdict
from collections.abc import Sequence

from google.protobuf.message import Message

DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0x0, 0x1, 0x4, 0x6, 0x8
ACK, END_STREAM, END_HEADERS = 0x1, 0x1, 0x4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
INITIAL_WINDOW = struct.pack(">HI", 0x4, 0)


class NeverReads:
    """One connection. `received`: bytes of DATA by stream, which are 0 until `open_windows`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.received: defaultdict[int, bytes] = defaultdict(bytes)
        self.streams: list[int] = []
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def connect(cls, port: int) -> "NeverReads":
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(PREFACE + _frame(SETTINGS, 0, 0, INITIAL_WINDOW))
        return cls(reader, writer)

    def call(self, method: str, token: str, request: Message) -> int:
        """Asks, and returns the stream's number."""
        number = 2 * len(self.streams) + 1
        self.streams.append(number)
        said = {":method": "POST", ":scheme": "http", ":path": method, ":authority": "test", "te": "trailers"}
        said |= {"content-type": "application/grpc", "authorization": f"Bearer {token}"}
        body = request.SerializeToString()
        self._writer.write(_frame(HEADERS, END_HEADERS, number, b"".join(map(_header, said, said.values()))))
        self._writer.write(_frame(DATA, END_STREAM, number, struct.pack(">BI", 0, len(body)) + body))
        return number

    def open_windows(self) -> None:
        for number in (0, *self.streams):
            self._writer.write(_frame(WINDOW_UPDATE, 0, number, struct.pack(">I", 2**20)))

    def messages(self, number: int) -> list[bytes]:
        """Those of the stream that are whole."""
        found, rest = [], self.received[number]
        while len(rest) >= 5 and len(rest) >= 5 + (size := int.from_bytes(rest[1:5])):
            found.append(rest[5 : 5 + size])
            rest = rest[5 + size :]
        return found

    async def close(self) -> None:
        self._listening.cancel()
        self._writer.close()

    async def _listen(self) -> None:
        """Keeps the connection alive, and what little comes."""
        while True:
            head = await self._reader.readexactly(9)
            size, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
            stream, payload = int.from_bytes(head[5:]) & 0x7FFFFFFF, await self._reader.readexactly(size)
            if kind == DATA:
                self.received[stream] += payload
            elif kind in (SETTINGS, PING) and not flags & ACK:
                self._writer.write(_frame(kind, ACK, 0, payload if kind == PING else b""))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _header(name: str, value: str) -> bytes:
    """HPACK: a literal that is not indexed, of a new name, both without Huffman's code (RFC 7541, 6.2.2)."""
    return b"\0" + _text(name) + _text(value)


def _text(words: str) -> bytes:
    """A length of 7 bits, and what is above 126 in groups of 7 (RFC 7541, 5.1)."""
    if len(words) < 127:
        return bytes([len(words)]) + words.encode()
    rest, digits = len(words) - 127, [127]
    while rest >= 128:
        digits.append(rest % 128 + 128)
        rest //= 128
    return bytes([*digits, rest]) + words.encode()


async def connected(port: int, count: int) -> Sequence[NeverReads]:
    return [await NeverReads.connect(port) for _ in range(count)]
