#!/usr/bin/env python3
"""A client of the protocol in spec/protocol.md: lightning-db serve --db DIR --listen 127.0.0.1:PORT, then
python3 adapters/client.py PORT. It needs nothing but the standard library."""
import base64
import json
import socket
import sys


class LightningError(Exception):
    """An error told by the server. A write behind one that is not `definite` may have happened."""

    def __init__(self, code, message, definite):
        super().__init__(f"{code}: {message}")
        self.code, self.definite = code, definite


def encode(data):
    return base64.b64encode(data).decode("ascii")


class Client:
    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=30)
        self.lines = self.socket.makefile("rb")
        self.next_id = 0
        self.hello = self.request("hello", protocol=1)

    def request(self, op, **fields):
        """One request, and the answer to it."""
        self.next_id += 1
        frame = json.dumps({"id": self.next_id, "op": op, **fields}) + "\n"
        self.socket.sendall(frame.encode("utf-8"))
        line = self.lines.readline()
        if not line:
            raise LightningError("LIGHTNING_INDEFINITE", "the connection ended", False)
        answer = json.loads(line)
        if "error" in answer:
            error = answer["error"]
            raise LightningError(error["code"], error["message"], error["definite"])
        assert answer["id"] == self.next_id, "an answer to another request"
        return answer

    def get(self, key):
        value = self.request("get", key=encode(key))["value"]
        return None if value is None else base64.b64decode(value)

    def put(self, key, value):
        """Returns what the write survives: synced or volatile."""
        return self.request("put", key=encode(key), value=encode(value))["durability"]

    def scan(self, **bounds):
        bounds = {name: encode(bound) for name, bound in bounds.items()}
        rows = self.request("scan", range=bounds)["rows"]
        return [(base64.b64decode(key), base64.b64decode(value)) for key, value in rows]

    def close(self):
        self.lines.close()
        self.socket.close()


def main():
    client = Client(int(sys.argv[1]))
    print("durability", client.put(b"\xff\x00 key", "grüße".encode("utf-8")))
    print("value", client.get(b"\xff\x00 key").decode("utf-8"))
    client.request("begin", transaction=1)
    client.request("txPut", transaction=1, key=encode(b"in"), value=encode(b"1"))
    assert client.get(b"in") is None, "read before the commit"
    client.request("commit", transaction=1)
    print("rows", [(key.hex(), len(value)) for key, value in client.scan()])
    try:
        client.request("commit", transaction=1)
    except LightningError as error:
        print("error", error.code, "definite" if error.definite else "indefinite")
    client.close()


if __name__ == "__main__":
    main()
