"""Batches of earlier runs and of other machines: which of them have requests of ours."""

from collections.abc import Iterable, Sequence

from pipeline.labelling.batches.adoption import Adoption
from pipeline.labelling.batches.creation import Creation
from pipeline.labelling.batches.outcomes import Outcomes
from pipeline.labelling.batches.record import Plan


async def with_ours(
    known: Sequence[Plan], outcomes: Outcomes, adoption: Adoption, creation: Creation
) -> list[Plan]:
    """Return the plans of batches that exist and have open requests of ours.

    The service is asked only if those that are known to exist lack some of the requests.

    Args:
        known: all plans on record; those that never became a batch are noted as dropped.
        outcomes: with the open requests.
        adoption: finds batches whose id is not on record.
        creation: drops plans.
    """
    wanted = outcomes.open
    for one in known:
        if one.state == "planned" and one.project == adoption.project:
            creation.drop(one)  # an earlier run ended before it sent anything
    ours = [plan for plan in known if plan.keys & wanted.keys()]
    found = [plan for plan in ours if plan.open]
    if not wanted.keys() <= keys_of(found):  # else nothing is bought, and nobody is asked
        lost = [plan for plan in ours if plan.state == "uploaded"]
        resolved = [await _resolved(one, outcomes, adoption, creation) for one in lost]
        found += [plan for plan in resolved if plan]
        # without keys (a damaged line) a batch is on record only by name
        on_record = (one for one in (*known, *found) if one.keys and one.state != "dropped")
        ids = {one.batch_id for one in on_record}
        unknown = await adoption.unknown(ids, wanted)
        found += [plan for plan in unknown if plan.keys & wanted.keys()]
    return found


def keys_of(plans: Iterable[Plan]) -> frozenset[str]:
    """Return the keys of all requests of some plans."""
    return frozenset().union(*(plan.keys for plan in plans))


async def _resolved(
    plan: Plan, outcomes: Outcomes, adoption: Adoption, creation: Creation
) -> Plan | None:
    """Return a plan that became a batch before its id was noted; nothing if it never did."""
    if found := await adoption.lost(plan):
        return found
    keys = sorted(plan.keys & outcomes.open.keys())
    outcomes.take_up(keys)
    await outcomes.put_back(keys, "never became a batch")
    creation.drop(plan)
    return None
