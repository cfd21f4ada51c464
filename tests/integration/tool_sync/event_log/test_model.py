"""The log against a model of it in memory: any mix of requests, ids and expected versions, in calls of any size."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4, uuid5

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tool_sync.log import Appended, AppendRejected, AppendRequest, Conflict, Duplicate, EventLog

from .making import arrived, done, save

IDS = 8
ORGS = 2


@dataclass(frozen=True, slots=True)
class Wish:
    """A request before it has real ids."""

    org: int
    ours: bool
    ids: tuple[int, ...]
    expected: int | None


@dataclass(slots=True)
class Model:
    """Ids to (stream, version, position), and the streams' versions; positions start after ``head``."""

    head: int
    stored: dict[UUID, tuple[str, int, int]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def append(self, request: AppendRequest) -> tuple[str, int | None, int | None]:
        """(outcome, first position, version)"""
        ids = [new.event_id for new in request.events]
        known = [self.stored[event_id] for event_id in ids if event_id in self.stored]
        if known:
            if len(known) < len(ids) or any(stream != request.stream for stream, _, _ in known):
                return "rejected", None, None
            return "duplicate", known[0][2], known[-1][1]
        version = self.versions.get(request.stream, 0)
        if request.expected_version is not None and request.expected_version != version:
            return "conflict", None, version
        first = self.head + 1
        for event_id in ids:
            version += 1
            self.head += 1
            self.stored[event_id] = (request.stream, version, self.head)
        self.versions[request.stream] = version
        return "appended", first, version


def answered(answer: Appended | Duplicate | Conflict | AppendRejected) -> tuple[str, int | None, int | None]:
    """The log's answer in the model's words."""
    match answer:
        case Appended():
            return "appended", answer.first_position, answer.version
        case Duplicate():
            return "duplicate", answer.first_position, answer.version
        case Conflict():
            return "conflict", None, answer.version
        case AppendRejected():
            assert answer.sqlstate == "ZT001", answer
            return "rejected", None, None


WISHES = st.builds(
    Wish,
    st.integers(0, ORGS - 1),
    st.booleans(),
    st.lists(st.integers(0, IDS - 1), min_size=1, max_size=3, unique=True).map(tuple),
    st.none() | st.integers(0, 5),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.lists(WISHES, min_size=1, max_size=6), min_size=1, max_size=5))
async def test_the_log_answers_and_stores_as_the_model_does(log: EventLog, calls: list[list[Wish]]) -> None:
    salt, orgs = uuid4(), [uuid4() for _ in range(ORGS)]
    start = (await log.read(0, 1)).head
    model = Model(start)
    for wishes in calls:
        requests = [
            (done if wish.ours else arrived)(
                orgs[wish.org],
                *(save() for _ in wish.ids),
                expected=wish.expected,
                ids=tuple(uuid5(salt, str(n)) for n in wish.ids),
            )
            for wish in wishes
        ]
        answers = await log.append_all(requests)
        assert [answered(answer) for answer in answers] == [model.append(request) for request in requests]
    events = (await log.read(start, 1000)).events
    assert [(e.event_id, e.stream, e.version, e.position) for e in events] == [
        (event_id, *place) for event_id, place in model.stored.items()
    ]
    assert (await log.read(0, 1)).head == model.head
