"""`prunella topology`: text, DOT and a page, of what a user may read."""

from __future__ import annotations

import html.parser
import itertools
import random
from collections.abc import Iterator

import pytest

from prunella.cli import kube
from prunella.cli.topology import layout
from tests.cli import conftest, shop
from tests.unit.core.incidents import cluster as manifests

GRAPH = {
    "client": "web",
    "server": "cart",
    "client_k8s_namespace_name": "shop",
    "server_k8s_namespace_name": "shop",
}


def small_shop() -> shop.Cluster:
    """A web that calls a cart and a search; the cart runs in a rack."""
    return shop.of(
        shop.deployment("web", env={"CART_ADDR": "cart:80", "SEARCH_ADDR": "search:80"}),
        shop.deployment("cart"),
        manifests.service("shop/cart"),
        shop.deployment("search"),
        manifests.service("shop/search"),
        manifests.pod("shop/cart-1a-x", "ReplicaSet/cart-1a", "n1"),
        manifests.node("n1", {"rack": "r1", "topology.kubernetes.io/zone": "z1"}),
    )


@pytest.fixture
def prometheus() -> Iterator[str]:
    """A Prometheus that has measured calls of the cart."""

    def answers(path: str, form: dict[str, str]) -> object:
        assert "/api/v1/query" == path
        told = "traces_service_graph_request_total" in form["query"]
        return shop.vector(*([(GRAPH, 2.0)] if told else []))

    with shop.serving(answers) as url:
        yield url


def test_text(run: conftest.Run, prometheus: str) -> None:
    """Calls, callers and places of each object."""
    result = run("topology", "--prometheus", prometheus, cluster=small_shop())
    assert (0, "") == (result.code, result.err)
    assert "3 objects, 2 calls (1 measured, 1 only declared)" in result.out
    assert "Deployment/cart  shop\n  called by   Deployment/web\n" in result.out
    assert "  runs on     n1 (rack r1, zone z1)\n" in result.out
    assert "Deployment/web  shop\n  calls       Deployment/cart, Deployment/search" in result.out


def test_without_a_source_only_declared_calls_are_shown(run: conftest.Run) -> None:
    """The reader is told that there may be more."""
    result = run("topology", cluster=small_shop())
    assert "2 calls (0 measured, 2 only declared)" in result.out
    assert "! no --prometheus: only declared calls are shown" in result.out


def test_dot(run: conftest.Run, prometheus: str) -> None:
    """Graphviz draws what was measured with a line, the rest dashed."""
    result = run("topology", "--format", "dot", "--prometheus", prometheus, cluster=small_shop())
    lines = [line.strip() for line in result.out.splitlines()]
    assert '"Deployment/shop/web" -> "Deployment/shop/cart";' in lines
    assert '"Deployment/shop/web" -> "Deployment/shop/search" [style=dashed];' in lines
    assert lines.count("}") == 2


class Elements(html.parser.HTMLParser):
    """Counts elements by class, and keeps what would be loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.classes: list[str] = []
        self.loaded: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        given = dict(attrs)
        self.classes += (given.get("class") or "").split()
        if tag in {"script", "link", "img", "iframe"}:
            self.loaded += [each for each in (given.get("src"), given.get("href")) if each]

    def handle_data(self, data: str) -> None:
        """Keep the words."""
        self.words += data


def test_page(run: conftest.Run, prometheus: str) -> None:
    """The page needs nothing else, and draws each object and call once."""
    result = run("topology", "--format", "html", "--prometheus", prometheus, cluster=small_shop())
    page = Elements()
    page.feed(result.out)
    assert [] == page.loaded
    assert 3 == page.classes.count("object")
    assert (1, 1) == (page.classes.count("measured"), page.classes.count("declared"))
    assert "n1r1z1shop/cart" in page.words


def test_names_can_not_break_the_page(run: conftest.Run) -> None:
    """Whatever an object is called, it stays text."""
    evil = '<script>alert("x")</script>'
    cluster = shop.of(
        shop.deployment("web", env={"A_ADDR": "cart:80"}), manifests.service("shop/cart")
    )
    path = next(each for each in cluster.objects if "deployments" in each)
    cluster.objects[path]["metadata"]["name"] = evil
    result = run("topology", "--format", "html", cluster=cluster)
    assert evil not in result.out
    assert "&lt;script&gt;" in result.out


def test_what_may_not_be_read_is_told(run: conftest.Run) -> None:
    """A user of one namespace sees that namespace, and what is missing."""
    cluster = small_shop()
    cluster.denied = {"list /api/v1/nodes", "list /apis/apps/v1/deployments"}
    result = run("topology", cluster=cluster)
    assert 0 == result.code
    assert "! you may not list nodes: what they tell is missing" in result.out
    assert "3 objects" in result.out


def test_a_broken_api_server_is_an_error(run: conftest.Run) -> None:
    """An empty drawing would be believed."""
    cluster = small_shop()
    cluster.answers["LIST", "/apis/apps/v1/deployments"] = kube.KubeError("boom", 500)
    assert conftest.Result(2, "", "error: boom\n") == run("topology", cluster=cluster)


def test_unknown_source_of_settings(run: conftest.Run, tmp_path: object) -> None:
    """The field is named."""
    path = f"{tmp_path}/settings.yaml"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("intake: {serviceGraphSource: tempo}\n")
    result = run("topology", "--config", path, cluster=small_shop())
    assert 2 == result.code
    assert "intake.serviceGraphSource: there is no source tempo" in result.err


LAYOUTS = [
    pytest.param("ab", "ab", ["a", "b"], id="one call"),
    pytest.param("abc", "ab bc ac", ["a", "b", "c"], id="the longest way counts"),
    pytest.param("abc", "", ["abc"], id="no calls"),
    pytest.param("ab", "ab ba", ["a", "b"], id="a circle of two"),
    pytest.param("abcd", "ab bc cd db", ["a", "b", "c", "d"], id="a circle with a way in"),
    pytest.param("aa", "", ["aa"], id="twice the same"),
    pytest.param("", "", [], id="nothing"),
    pytest.param("abcd", "ad bc", ["ab", "dc"], id="no crossing"),
]


@pytest.mark.parametrize(("objects", "calls", "expected"), LAYOUTS)
def test_layers(objects: str, calls: str, expected: list[str]) -> None:
    """Callers stand left of what they call."""
    found = layout.layers(list(objects), [(each[0], each[1]) for each in calls.split()])
    assert expected == ["".join(each) for each in found]


@pytest.mark.parametrize("seed", range(20))
def test_every_object_has_one_place(seed: int) -> None:
    """Whatever calls whom: nobody is lost, and most calls go to the right."""
    chance = random.Random(seed)  # noqa: S311
    objects = list(range(chance.randint(1, 30)))
    pairs = [each for each in itertools.permutations(objects, 2) if chance.random() < 0.08]
    found = layout.layers(objects, pairs)
    assert objects == sorted(itertools.chain.from_iterable(found))
    column = {each: number for number, layer in enumerate(found) for each in layer}
    assert all(column[caller] != column[callee] for caller, callee in pairs)
