"""`python -m tests.referee`: a partner to talk to, until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from tests.referee.scenario import Partner
from tests.referee.server import Referee


async def serve(options: argparse.Namespace) -> None:
    """Print what to export, then serve; problems are printed as they come up."""
    partner = Partner(rate=options.rate or None, delay=options.delay)
    async with Referee(partner, key=options.key, port=options.port) as referee:
        print(f"export ANTHROPIC_BASE_URL={referee.base_url} ANTHROPIC_API_KEY={referee.key}", flush=True)
        shown = 0
        while True:
            await asyncio.sleep(0.2)
            for problem in referee.problems[shown:]:
                print(f"# {problem}", flush=True)
            shown = len(referee.problems)


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.referee", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--key", default="test-key")
    parser.add_argument("--rate", type=float, default=300.0, metavar="CHARS_PER_S", help="0: no limit")
    parser.add_argument("--delay", type=float, default=0.0, metavar="S", help="seconds before each answer")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
