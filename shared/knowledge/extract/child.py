"""The process that reads a dangerous file: limits first, then the file from stdin, then the answer to stdout."""

from __future__ import annotations

import resource
import sys

from shared.knowledge.extract.sandbox import CPU_S, MEMORY_BYTES, answer


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.write(answer(sys.argv[1], sys.stdin.buffer.read()))


if __name__ == "__main__":
    main()
