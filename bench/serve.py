"""`python -m bench.serve APP PORT`: another ASGI app on the server that the gateway runs on."""

from __future__ import annotations

import sys

from gateway.serve import serve

if __name__ == "__main__":
    serve(sys.argv[1], "127.0.0.1", int(sys.argv[2]))
