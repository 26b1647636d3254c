"""An env file that follows the connections, for programs that read their keys from one.

python examples/env_file.py

What is connected in the platform of this process is in the file a moment later, and what is
disconnected is not. A line that somebody else wrote stays.
"""

from __future__ import annotations

import queue
import tempfile
from pathlib import Path

from quatrain.server.embedded import EmbeddedPlatform
from quatrain.vendo import Vendo, reconciler


def keep(vendo: Vendo, env_file: Path, told: queue.Queue[reconciler.Diff]) -> reconciler.Reconciler:
    """Write the file, then keep it in step and tell of each change."""
    mapping, _ = reconciler.catalog_default(vendo)
    reconciler.bootstrap(env_file, mapping)
    return reconciler.start(env_file, mapping, on_change=told.put, client=vendo)


def main() -> None:
    """Connect OpenAI, give it another key, disconnect it."""
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedPlatform(Path(directory, "quatrain.db")) as platform,
    ):
        env_file = Path(directory, ".env")
        env_file.write_text("PORT=8000  # mine\n")
        env = platform.env
        told: queue.Queue[reconciler.Diff] = queue.Queue()
        with (
            Vendo(
                platform.vendo_key,
                base_url=env["VENDO_BASE_URL"],
                credentials_url=env["VENDO_CREDENTIALS_URL"],
                data_proxy_url=env["VENDO_DATA_PROXY_URL"],
            ) as vendo,
            keep(vendo, env_file, told) as keeper,
        ):
            connection = platform.connect("openai", key="sk-first")
            keeper.wake()  # a connection's event does so as well, once the stream is there
            print(f"{told.get()}: {env_file.read_text().split()}")
            platform.connect("openai", key="sk-second")
            print(f"{told.get()}: {env_file.read_text().split()}")
            platform.disconnect(connection)
            print(f"{told.get()}: {env_file.read_text().split()}")


if __name__ == "__main__":
    main()
