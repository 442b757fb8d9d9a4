"""Puts the page together, before the server's own paths: one model answers both."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.responses import Response, StreamingResponse

from model.inference.service import Service
from model.serving.app import create_app
from model.serving.page import live
from model.serving.page.runs import Runs
from model.serving.page.sealed import Sealed
from model.serving.settings import Settings
from model.serving.voices import Voices

if TYPE_CHECKING:
    from model.serving.page.studio import Studio

_KEPT_S = 24 * 3600
"""How long files of results and uploads stay, in seconds, while the page is served."""
_CSS = Path(__file__).with_name("page.css")


def create_page(service: Service, settings: Settings, runs: Runs, folder: Path) -> FastAPI:
    """Makes the application: the page at `/`, and the paths of `valle serve`.

    Args:
        service: Owns the model.
        settings: The limits.
        runs: The training runs to show.
        folder: For the files that the page shows, and uploads.

    Raises:
        UsageError: if the voices can't be listed.
    """
    # Gradio reads these when it is loaded and when components are made.
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=str(folder), HF_HUB_DISABLE_TELEMETRY="1")
    import gradio as gr

    from model.serving.page.studio import Studio

    studio = Studio(service, settings, Voices(settings.voices), runs, folder)
    app = create_app(service, settings, browsers=True)
    app.user_middleware.append(Middleware(Sealed, folder=folder))  # the innermost: the key and the limits come first

    async def hear(token: str) -> Response:
        found = studio.lives.find(token)
        if found is None:
            return Response(status_code=404)
        return StreamingResponse(found.read(), media_type="audio/wav", headers={"Cache-Control": "no-store"})

    app.add_api_route(live.PATH, hear, methods=["GET"], response_model=None, include_in_schema=False)
    fonts = "ui-sans-serif", "system-ui", "sans-serif"
    mono = "ui-monospace", "monospace"
    page = draw(studio)
    # Gradio's own check of the files that requests name is off for a page that it didn't launch itself.
    page.has_launched = True
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=settings.host,
        server_port=settings.port,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=settings.max_body_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=gr.themes.Default(font=fonts, font_mono=mono).set(
            body_text_color_subdued="*neutral_600", block_info_text_color="*neutral_600"
        ),
        css_paths=[_CSS],
    )
    return app


def draw(studio: "Studio") -> Any:
    """Draws the page."""
    import gradio as gr

    from model.serving.page.hear import draw_hear
    from model.serving.page.speak import draw_speak
    from model.serving.page.training import Training
    from model.serving.page.transform import draw_transform

    with gr.Blocks(
        title=f"{studio.settings.name} · valle",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(_KEPT_S // 24, _KEPT_S),
    ) as page:
        gr.HTML(_head(studio), elem_id="head")
        with gr.Tabs():
            with gr.Tab("Speak") as speaking:
                draw_speak(studio, page)
            with gr.Tab("Transform") as transforming:
                draw_transform(studio)
            with gr.Tab("Recognise") as recognising:
                draw_hear(studio)
            with gr.Tab("Training") as training:
                Training(studio, page, training, [speaking, transforming, recognising])
    return page


def _head(studio: "Studio") -> str:
    from html import escape

    codec = f"{studio.codec.name}, {studio.codec.num_codebooks} codebooks, {studio.rate / 1000:g} kHz"
    facts = [f"step {studio.meta.step:,}", codec, ", ".join(studio.languages)]
    return f"<h1>{escape(studio.settings.name)}</h1><p>{escape(' · '.join(facts))}</p>"
