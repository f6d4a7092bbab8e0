"""The whole proof of two nodes, as `make nodes` runs it."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.nodes.proof.balancer import NoBalancer, install_haproxy


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_nodes_keep_every_promise_while_one_dies_and_their_database_is_restarted():
    try:
        install_haproxy()
    except NoBalancer as reason:
        pytest.skip(str(reason))
    folder = Path(tempfile.mkdtemp(prefix="gateway-nodes-"))
    folder.chmod(0o711)
    command = [sys.executable, "-m", "tests.nodes.proof", "--folder", str(folder / "proof")]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    shutil.rmtree(folder)
    assert done.returncode == 0, done.stdout + done.stderr
