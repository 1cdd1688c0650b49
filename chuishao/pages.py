"""Serves the built pages (`web/dist`) beside the interfaces, under a policy that lets nothing from elsewhere in."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.edge import COMMON, Careful
from shared.problems import not_found, respond

BUILT = Path(__file__).resolve().parents[1] / "web" / "dist"
HEADERS = {
    **COMMON,
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(), geolocation=(self), microphone=()",
}
FOREVER = "public, max-age=31536000, immutable"
NOT_BUILT = (
    '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>吹哨报到</title>'
    "<h1>页面还没有生成</h1><p>接口在运行。在源码目录里执行 <code>make web</code>，刷新这一页就有了。</p>"
    "<p>The interfaces run; the pages are not built. Run <code>make web</code> and reload.</p></html>"
)


class Pages:
    """The ASGI app at `/`: hashed assets for ever, `index.html` for every address that a page's router knows."""

    def __init__(self, built: Path = BUILT, hsts: int = 0) -> None:
        self._index = built / "index.html"
        self._files = StaticFiles(directory=built, check_dir=False)
        self._app: ASGIApp = Careful(GZipMiddleware(self._respond, minimum_size=1000), HEADERS, hsts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._app(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._answer(scope))(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        path = scope["path"]
        if path.startswith(("/api/", "/sandbox/")):
            return respond(not_found(), path)
        if not self._index.exists():
            return HTMLResponse(NOT_BUILT, 503)
        if "." not in path.rsplit("/", 1)[-1]:
            return FileResponse(self._index, headers={"Cache-Control": "no-cache"})
        try:
            answer = await self._files.get_response(path.lstrip("/"), scope)
        except HTTPException as error:
            return respond(not_found(), path) if error.status_code == 404 else Response(status_code=error.status_code)
        answer.headers["Cache-Control"] = FOREVER if path.startswith("/assets/") else "no-cache"
        return answer
