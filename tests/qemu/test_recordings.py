# SPDX-License-Identifier: MIT
"""What a real QEMU replied once, as far as it applies, is what we reply."""

import pytest

import replay


@pytest.fixture(scope="module")
def results(demo):
    results = replay.replay_all(replay.read(replay.RECORDINGS), demo.path)
    print(replay.table(results))
    return results


def test_most_recordings_apply(results):
    assert len(results.verdicts) > 150


def test_they_agree(results):
    assert results.share_of_agreement >= 0.95, replay.table(results)


def test_only_errors_of_syntax_agree_by_class_alone(results):
    assert all(verdict.is_syntax for verdict in results.of(replay.BY_CLASS).values())


def test_known_differences_are_the_only_ones(results):
    """A number that QEMU writes as no JSON; the topology of vCPUs, which no client asks us for."""
    assert set(results.of(replay.DIFFERS)) <= {"json-num-1e400", "q-cpus-fast"}
