"""What people come with, and where the answer is: each in at most three clicks from the first page."""

from dataclasses import dataclass
from typing import Final, Literal

Reader = Literal["support", "owner", "on call", "clinic", "engineer"]
Click = tuple[Literal["link", "search"], str]


@dataclass(frozen=True, slots=True)
class Question:
    """``clicks``: a link by (a part of) its words, or a search. ``answer``: a pattern of what the page then says."""

    reader: Reader
    asks: str
    clicks: tuple[Click, ...]
    answer: str


QUESTIONS: Final = (
    Question(
        "support",
        "Praxis Adler calls: can its assistant book?",
        (("search", "adler"), ("link", "Praxis Adler")),
        r"can book: 1 of 1",
    ),
    Question(
        "support",
        "Praxis Specht says that nobody can book. Why?",
        (("search", "specht"), ("link", "Praxis Specht")),
        r"booking was switched off by .*double bookings",
    ),
    Question(
        "support",
        "Since when does Praxis Eule not book, and who has to act?",
        (("search", "eule"), ("link", "Praxis Eule")),
        r"cannot book",
    ),
    Question(
        "support",
        "What is the text for the ticket about Eule's assistant?",
        (("search", "Praxis Eule"), ("link", "Praxis Eule"), ("link", "Reception")),
        r"TS-301",
    ),
    Question(
        "support",
        "What happened to Adler's assistant, step by step?",
        (("search", "Praxis Adler"), ("link", "Praxis Adler"), ("link", "Front desk")),
        r"asked Vapi",
    ),
    Question(
        "support",
        "Which versions of which tools does Praxis Adler have?",
        (("search", "Praxis Adler"), ("link", "Praxis Adler")),
        r"bookClinicAppointment",
    ),
    Question("support", "I have only an assistant's name: whose is it?", (("search", "Reception"),), r"Reception"),
    Question("on call", "Is anything wrong right now?", (), r"of .* assistants that should book cannot"),
    Question("on call", "What fails, for how many, and who acts?", (), r"TS-301"),
    Question("on call", "What does TS-301 mean and what do I do?", (("link", "TS-301"),), r"What to do"),
    Question("on call", "Which clinics fail with TS-301?", (("link", "TS-301"),), r"Praxis Eule"),
    Question(
        "on call",
        "Can I try all of them again, and what does it cost?",
        (("link", "TS-301"),),
        r"about \d+ calls of Vapi's",
    ),
    Question("on call", "Does Vapi's key work?", (("link", "System"),), r"(?i)works"),
    Question("on call", "What waits, and for what?", (("link", "Waiting"),), r"waits|wait"),
    Question("on call", "Are there dead letters?", (("link", "System"),), r"[Dd]ead letters"),
    Question("on call", "What is happening at this moment?", (("link", "Live"),), r"Praxis|outcome"),
    Question(
        "owner", "Which tools are there, and who has which version?", (("link", "Tools"),), r"bookClinicAppointment"
    ),
    Question(
        "owner",
        "How do I give every clinic a new version?",
        (("link", "Tools"), ("link", "Publish a version")),
        r"[Pp]ublish",
    ),
    Question(
        "owner",
        "How do I take a tool from everybody at once?",
        (("link", "Tools"), ("link", "bookClinicAppointment")),
        r"Halt",
    ),
    Question("owner", "Which rollouts are there?", (("link", "Rollouts"),), r"Rollouts"),
    Question("engineer", "Where does the log stand, and is it proved?", (("link", "Log"),), r"\d"),
    Question("engineer", "Which settings differ from the default?", (("link", "System"),), r"(?i)vapi_base_url"),
    Question(
        "engineer",
        "I have a request id: what became of it?",
        (("search", "{adler_request}"), ("link", "Front desk")),
        r"can book",
    ),
    Question("clinic", "Can my assistant book?", (), r"can book"),
    Question("clinic", "What was changed for us?", (), r"[Cc]hange"),
    Question("clinic", "How do I switch booking off?", (), r"[Ss]witch"),
)
