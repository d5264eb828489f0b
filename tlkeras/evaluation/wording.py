"""How numbers and foreign text are written for people, the same in terminal, page and plot."""

from unicodedata import combining, east_asian_width

from tlkeras.evaluation.results import Results


def percent(share: float, digits: int = 1) -> str:
    """Text for a share in [0, 1], which says 0 or 100 only when it is exactly that.

    >>> percent(28 / 30), percent(1.0), percent(0.9999), percent(0.0001)
    ('93.3 %', '100 %', '>99.9 %', '<0.1 %')
    """
    step = 10.0**-digits
    if share in (0, 1):
        return f"{share * 100:.0f} %"
    if share > 1 - step / 200:
        return f">{100 - step:.{digits}f} %"
    if share < step / 200:
        return f"<{step:.{digits}f} %"
    return f"{share * 100:.{digits}f} %"


def span(interval: tuple[float, float]) -> str:
    """Text for an interval of shares.

    >>> span((0.787, 0.982))
    '78.7 to 98.2 %'
    """
    low, high = interval
    return f"{percent(low).removesuffix(' %')} to {percent(high)}"


def plain(text: str) -> str:
    """The text with control, direction and undecodable characters written as escapes.

    File and class names come from strangers: they must not steer a terminal or break UTF-8.

    >>> plain("rose\\x1b[31m")
    'rose\\\\x1b[31m'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shortened(text: str, length: int) -> str:
    """At most `length` characters, cut in the middle: both ends of a file name say something.

    >>> shortened("a_rather_long_class_name", 11)
    'a_rat…_name'
    """
    text = plain(text)
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:] if tail else ''}"


def columns(text: str) -> int:
    """Columns that a terminal gives the text: Chinese and most emoji take two each.

    >>> columns("rose"), columns("玫瑰")
    (4, 4)
    """
    return sum(0 if combining(c) else 1 + (east_asian_width(c) in "WF") for c in text)


def reliability_sentence(results: Results) -> str:
    """One sentence that compares how sure the model is with how often it is right."""
    sure, right = percent(results.mean_confidence), percent(results.accuracy)
    gap = abs(results.mean_confidence - results.accuracy) * 100
    start = f"On average it is {sure} sure and {right} right"
    if results.reliability == "honest":
        known = "1 picture tells" if len(results) == 1 else f"{len(results)} pictures tell"
        return f"{start}: its confidence agrees with its accuracy, as far as {known}."
    advice = (
        "read its probabilities as ranks, not as chances."
        if results.reliability == "overconfident"
        else "it is right more often than it says."
    )
    return f"{start}: it is {results.reliability} by {gap:.1f} points; {advice}"
