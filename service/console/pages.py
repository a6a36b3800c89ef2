"""The console's pages: a frame that all share, and the content, styles and scripts of each.

What a page `cameras` needs lies in the folder of its name: `content.html`, `main.js`, which starts it, and the modules
and style sheets beside these. The files in `shared` are every page's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from string import Template
from typing import Final

SHARED: Final = "shared"
FRAME: Final = f"{SHARED}/frame.html"
CONTENT: Final = "content.html"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console.

    Attributes:
        name: Its folder, and the last part of its address.
        title: What it is headed with.
        label: What it is called in the navigation.
    """

    name: str
    title: str
    label: str

    @property
    def address(self) -> str:
        """Where it is, relative to the service; the search is the service's front page."""
        return "" if self is PAGES[0] else f"console/{self.name}"


PAGES: Final = (
    Page("search", "Vehicle search", "Search"),
    Page("vehicles", "Vehicles", "Vehicles"),
    Page("watches", "Watches", "Watches"),
    Page("cameras", "Cameras", "Cameras"),
    Page("collections", "Collections", "Collections"),
    Page("jobs", "Jobs", "Jobs"),
    Page("audit", "Audit log", "Audit"),
)


def composed(page: Page, files: Mapping[str, str]) -> str:
    """The HTML of a page.

    Args:
        page: The page.
        files: Every static text file by its path.
    """
    root = "../" * page.address.count("/")
    own = sorted(name for name in files if name.partition("/")[0] in {SHARED, page.name})
    style = '    <link rel="stylesheet" href="{}console/{}">'
    # A module that the page does not name is found one round trip later than need be.
    module = '    <link rel="modulepreload" href="{}console/{}">'
    start = f'    <script type="module" src="{root}console/{page.name}/main.js"></script>'
    # The shared styles come first, so that a page's own can say otherwise.
    styles = sorted((name for name in own if name.endswith(".css")), key=lambda name: not name.startswith(SHARED))
    links = [style.format(root, name) for name in styles]
    links += [module.format(root, name) for name in own if name.endswith(".js") and name != f"{page.name}/main.js"]
    return Template(files[FRAME]).substitute(
        title=escape(page.title),
        root=root,
        links="\n".join([*links, start]),
        navigation="\n".join(f"        {_link(one, root, current=one is page)}" for one in PAGES),
        content=files[f"{page.name}/{CONTENT}"],
    )


def _link(page: Page, root: str, *, current: bool) -> str:
    mark = ' aria-current="page"' if current else ""
    return f'<a href="{root}{page.address or "."}"{mark}>{escape(page.label)}</a>'
