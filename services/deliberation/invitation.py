"""A meeting as a calendar file (RFC 5545, 5546): one UID for its whole life, a higher SEQUENCE after every move."""

from icalendar import Calendar, Event, vText, vUri

from services.deliberation.domain.openings import CHINA
from services.deliberation.domain.states import WITHDRAWN
from services.deliberation.store.reading import Topic

PRODUCT = "-//chuishao//deliberation//ZH"


def calendar(topic: Topic) -> bytes:
    """METHOD is REQUEST, and CANCEL once the meeting will not take place. Holds nobody's name or number."""
    cancelled = topic.state == WITHDRAWN
    event = Event()
    event.add("uid", f"{topic.meeting}@chuishao")
    event.add("sequence", topic.sequence)
    event.add("dtstamp", topic.now)
    event.add("dtstart", topic.starts.astimezone(CHINA))
    event.add("dtend", topic.ends.astimezone(CHINA))
    event.add("summary", topic.title)
    event.add("location", topic.venue_label)
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    organizer = vUri(f"urn:uuid:{topic.community}")
    organizer.params["CN"] = vText(topic.community_label)
    event["organizer"] = organizer
    found = Calendar()
    found.add("prodid", PRODUCT)
    found.add("version", "2.0")
    found.add("method", "CANCEL" if cancelled else "REQUEST")
    found.add_component(event)
    found.add_missing_timezones()
    return bytes(found.to_ical())
