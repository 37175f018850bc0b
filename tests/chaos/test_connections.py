"""Connections that break in the midst of a commit: nobody can tell from the error whether it came about."""

from __future__ import annotations

import pytest

from chaos.trial import Trial
from support.outages import target_behind_cutting_proxies
from support.stack import wait_until

CUTS = 30
RECORDS = 50_000


@pytest.mark.selection
def test_connections_are_cut_while_commits_are_under_way(trial: Trial) -> None:
    trial.records = min(trial.records, RECORDS)
    trial.create_source()
    with target_behind_cutting_proxies(trial.clusters) as proxies:
        bridge = trial.replica(hosts=proxies.hosts)
        bridge.await_ready()
        trial.begin()
        begun = len(proxies.cuts())
        wait_until(f"{CUTS} cuts", lambda: len(proxies.cuts()) - begun >= CUTS, 120)
        trial.advance(0.9)
        proxies.end_cutting()
        trial.advance(0.1)
        trial.finish([bridge])
        assert {cut["loses"] for cut in proxies.cuts()} == {"nothing", "requests", "answers"}
