"""A plan is immutable: running it returns a new one."""

import copy as copies
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from pipeline.cluster.cluster import open_cluster
from pipeline.cluster.scheduler import parse_scheduler
from pipeline.config import PrepConfig
from pipeline.dataset.digests import DigestCache
from pipeline.dataset.folder import DIGESTS, open_dataset
from pipeline.dataset.lock import hold
from pipeline.runner.progress import Reporter
from pipeline.runner.runner import Run, plan_all, run_stages
from stages.artefacts.manifest import list_shards
from stages.config import load_config
from tests.pipeline.conftest import EMBEDDED


def test_running_a_plan_leaves_it_as_it_was(copy: Path) -> None:
    names = ["slice", "g2p"]
    config = load_config(PrepConfig, None, [EMBEDDED[1], "g2p.stress=false"])
    reporter, scheduler = Reporter(quiet=True), parse_scheduler("sync", jobs=None, device="cpu")
    kept = list_shards(copy / "g2p")[0]
    with (
        hold(copy, reporter.say) as token,
        DigestCache(copy / DIGESTS) as cache,
        open_cluster(scheduler, lambda: False) as cluster,
    ):
        run = Run(open_dataset(copy), config, "cpu", cluster, cache, reporter, token)
        plans = plan_all(run, names)
        plan = plans["g2p"]
        assert plan is not None
        assert kept in {todo.shard for todo in plan.todo}
        before = copies.deepcopy((plan.kept, plan.todo, dict(plan.sealed), plan.given))
        with pytest.raises(FrozenInstanceError):
            plan.given = 0
        with pytest.raises(TypeError):
            plan.sealed[kept] = None
        _, tally = run_stages(run, names, plans)
        assert (plan.kept, plan.todo, dict(plan.sealed), plan.given) == before
        done = plans["g2p"]
        assert done is not None
        assert (done.todo, done.shards, done.given) == ((), plan.shards, plan.given)
        assert tally.shards_made == len(plan.todo) > 0
        again = run.plan("g2p", verified=("slice",), plans=plans)
        assert (again.todo, dict(again.sealed)) == ((), dict(done.sealed))
