import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from service.console import router
from service.console.endpoints import assets
from service.console.pages import PAGES, Page
from service.problems import install_problem_handlers


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(router)
    install_problem_handlers(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console") as client:
        yield client


class TestPage:
    async def test_is_html_that_may_run_nothing_but_this_services_scripts(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    async def test_has_no_inline_script_or_style(self, client: httpx.AsyncClient, page: Page) -> None:
        html = (await client.get(f"/{page.address}")).text
        assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", html) == []

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    async def test_all_it_and_its_modules_refer_to_is_there_and_preloaded(
        self, client: httpx.AsyncClient, page: Page
    ) -> None:
        html = (await client.get(f"/{page.address}")).text
        base = httpx.URL(f"http://console/{page.address}")
        referred = {str(base.join(name)) for name in re.findall(r'(?:src|href)="([^"#]*(?:js|css|svg))"', html)}
        assert {str(base.join(f"/console/{page.name}/main.js")), str(base.join("/console/shared/base.css"))} <= referred
        for address in referred:
            answer = await client.get(address)
            assert answer.status_code == 200, address
            imported = re.findall(r'(?:from|import) "(\.[^"]+)"', answer.text)
            assert {str(httpx.URL(address).join(name)) for name in imported} <= referred

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    async def test_leads_to_every_page_and_says_which_it_is(self, client: httpx.AsyncClient, page: Page) -> None:
        html = (await client.get(f"/{page.address}")).text
        base = httpx.URL(f"http://console/{page.address}")
        links = re.findall(r'<a href="([^"]*)"( aria-current="page")?>([^<]+)</a>', html.partition("<nav")[2])
        assert [label for _, current, label in links if current] == [page.label]
        for address, _, label in links[:-1]:
            assert (
                f"<h1>{next(one.title for one in PAGES if one.label == label)}</h1>"
                in (await client.get(base.join(address))).text
            )

    async def test_refers_to_no_other_host(self) -> None:
        for name, asset in assets().items():
            addresses = set(re.findall(r"https?://[^\s\"'`)]+", asset.content.decode()))
            assert addresses <= {"http://www.w3.org/2000/svg"}, name


class TestAssets:
    @pytest.mark.parametrize(
        ("name", "media_type"),
        [("search/main.js", "text/javascript"), ("shared/base.css", "text/css"), ("shared/icon.svg", "image/svg+xml")],
    )
    async def test_come_with_their_type(self, client: httpx.AsyncClient, name: str, media_type: str) -> None:
        answer = await client.get(f"/console/{name}")
        assert answer.headers["Content-Type"].split(";")[0] == media_type
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.parametrize("path", ["/", "/console/search/main.js"])
    async def test_are_not_sent_again_to_who_has_them(self, client: httpx.AsyncClient, path: str) -> None:
        etag = (await client.get(path)).headers["ETag"]
        for known in (etag, f'"other", W/{etag}', "*"):
            again = await client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
        assert (await client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200

    async def test_answer_head_with_the_length_and_no_body(self, client: httpx.AsyncClient) -> None:
        answer = await client.head("/")
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["Content-Length"]) == len(assets()[""].content)

    @pytest.mark.parametrize(
        "name", ["nothing.js", "search", "search/content.html", "shared", "..%2fendpoints.py", "%00"]
    )
    async def test_nothing_else_is_served(self, client: httpx.AsyncClient, name: str) -> None:
        answer = await client.get(f"/console/{name}")
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
