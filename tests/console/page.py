"""What a test asks of a page: its links, forms, texts, read by Python's own HTML parser."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """A parsed page: every start tag with its attributes, the visible text, and what must not be there."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.pieces: list[str] = []
        self._inside: list[str] = []
        self.inline_scripts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag in {"script", "style"}:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.inline_scripts.append(data)
        else:
            self.pieces.append(data)

    @property
    def text(self) -> str:
        """The visible text, white space collapsed."""
        return " ".join(" ".join(self.pieces).split())

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        """Return the attributes of every *tag* that has the *wanted* ones."""
        return [
            attributes
            for name, attributes in self.tags
            if name == tag and all(attributes.get(key.replace("_", "-")) == value for key, value in wanted.items())
        ]

    @property
    def links(self) -> set[str]:
        """Addresses of our own that the page links to, without fragments."""
        found = {attributes.get("href", "") for tag, attributes in self.tags if tag == "a"}
        return {href.partition("#")[0] for href in found if href.startswith("/")}

    def field(self, name: str) -> str:
        """Return the value of the first input with that name."""
        return self.all("input", name=name)[0].get("value", "")
