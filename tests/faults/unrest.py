"""What tool-sync has still to do, as its database says it: expressions of SQL, for whoever waits until nothing is."""

from typing import Final

AT_WORK: Final = "(SELECT count(*) FROM leases WHERE token IS NOT NULL)"
DUE_SOON: Final = """
(SELECT count(*) FROM leases l WHERE next_due < now() + make_interval(secs => {seconds}) AND NOT EXISTS (
    -- Somebody's assistant without our mark links a retired tool, which is kept: it is looked again for ever.
    SELECT FROM (SELECT type, data FROM events e WHERE e.org_id = l.org_id ORDER BY position DESC LIMIT 1) newest
     WHERE type = 'SyncAttemptFailed' AND data ->> 'code' = 'TS-306'))
"""
"""Organizations that are looked at within so many ``seconds``: a deletion without an answer waits for such a time."""
ROLLOUTS: Final = """
(SELECT count(*) FROM events s WHERE s.type = 'RolloutStarted' AND NOT EXISTS (
    SELECT FROM events e WHERE e.stream = s.stream
       AND e.type IN ('RolloutCompleted', 'RolloutAborted', 'RolloutExpired', 'RolloutRolledBack')))
"""
NOT_AS_ORDERED: Final = """
(SELECT count(*) FROM fleet_turns t WHERE t.settled < (
    SELECT max(position) FROM events WHERE org_id IS NULL AND type NOT IN ('RolloutPlanned', 'VersionWithdrawn')
       AND coalesce(data ->> 'tool', data ->> 'name') = t.tool))
"""
"""Tools with clinics that the feeder has not led to the newest order."""
