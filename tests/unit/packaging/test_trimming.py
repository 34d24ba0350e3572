"""What function.toml leaves out of the layer: named, and never what something imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import LayerError
from pipeline.packaging import trimming

_LAYER = {
    "shop/__init__.py": "from shop.prices import PRICE\n",
    "shop/prices.py": "PRICE = 1\n",
    "shop/late.py": "def buy():\n    import cart.basket\n    from . import other\n",
    "shop/other.py": "try:\n    import cart.extra\nexcept ImportError:\n    pass\n",
    "shop/client.py": "import shop.missing\n\n\nclass Client:\n    pass\n",
    "shop/user.py": "from shop.client import Client\n",
    "shop/tests/test_prices.py": "import shop.prices\n",
    "shop/native.cpython-313-x86_64-linux-gnu.so": "",
    "shop/native.c": "",
    "cart/__init__.py": "",
    "cart/basket.py": "if TYPE_CHECKING:\n    import cart.types\n",
    "cart/extra.py": "",
    "cart/types.py": "",
    "cart/broken.py": "def (\n",
}
_STUB = "class Client:\n    pass\n"
_STUBS = {"shop/client.py": "stub.py"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.setattr(trimming, "ROOT", tmp_path)
    (tmp_path / "stub.py").write_text(_STUB)
    for path, content in _LAYER.items():
        (tmp_path / "layer" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "layer" / path).write_text(content)
    return {path: tmp_path / "layer" / path for path in _LAYER}


def _trim(
    installed: dict[str, Path],
    *exclude: str,
    stubs: dict[str, str] | None = None,
    handler: str = "",
) -> set[str]:
    function = {"app.py": handler.encode(), "data.json": b"\xff"}
    return trimming.trim(installed, list(exclude), stubs or {}, function).keys() ^ installed.keys()


@pytest.mark.parametrize(
    ("patterns", "left_out"),
    [
        ((), set()),
        (("**/tests/**",), {"shop/tests/test_prices.py"}),
        (("**/*.[ch]", "cart/types.py"), {"shop/native.c", "cart/types.py"}),
        (("cart/extra.py",), {"cart/extra.py"}),  # its import is guarded
        (("shop/other.py",), {"shop/other.py"}),  # its own folder imports it, late
        (("shop/native.*",), {"shop/native.c", "shop/native.cpython-313-x86_64-linux-gnu.so"}),
    ],
)
def test_what_matches_is_left_out(
    installed: dict[str, Path], patterns: tuple[str, ...], left_out: set[str]
) -> None:
    assert _trim(installed, *patterns) == left_out


@pytest.mark.parametrize(
    ("patterns", "handler", "message"),
    [
        (("nothing/**",), "", "exclude: nothing/\\*\\* matches no file"),
        (("shop/prices.py",), "", "shop/__init__.py:1 imports shop.prices, which is left out"),
        (("cart/**",), "", "shop/late.py:2 imports cart, which"),
        (
            ("cart/types.py",),
            "def late():\n    from cart import types\n",
            "app.py:2 imports cart.types",
        ),
        (("shop/native.*",), "import shop.native\n", r"left out \(shop/native.cpython-313"),
        (("shop/__init__.py",), "import shop.prices\n", "app.py:1 imports shop, which"),
    ],
)
def test_what_is_imported_is_not_left_out(
    installed: dict[str, Path], patterns: tuple[str, ...], handler: str, message: str
) -> None:
    with pytest.raises(LayerError, match=message):
        _trim(installed, *patterns, handler=handler)


def test_a_stub_takes_a_modules_place(installed: dict[str, Path]) -> None:
    kept = trimming.trim(installed, [], _STUBS, {})
    assert kept["shop/client.py"].read_text() == _STUB
    assert kept.keys() == installed.keys()


@pytest.mark.parametrize(
    ("stubs", "message"),
    [
        ({"shop/nowhere.py": "stub.py"}, "stubs: shop/nowhere.py is not a file of the layer"),
        ({"shop/client.py": "nowhere.py"}, "stubs: nowhere.py cannot be read"),
    ],
)
def test_a_stub_that_is_not_there(
    installed: dict[str, Path], stubs: dict[str, str], message: str
) -> None:
    with pytest.raises(LayerError, match=message):
        trimming.check_use(stubs, {})
        trimming.trim(installed, [], stubs, {})


@pytest.mark.parametrize(
    "source", ["from shop.client import Client\n", "import shop\nshop.Client()\n"]
)
def test_the_function_does_not_use_a_stub(installed: dict[str, Path], source: str) -> None:
    with pytest.raises(LayerError, match="app.py:[12] uses Client, and shop/client.py is a stub"):
        trimming.check_use(_STUBS, {"app.py": source.encode()})
    trimming.check_use(_STUBS, {"app.py": b"import shop\n", "data.json": b"\xff"})
