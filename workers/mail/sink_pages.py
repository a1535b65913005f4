"""`/mails` of a mailer with a sink: the mails that it kept, as their readers would see them.

For a developer's machine: the pages are on the worker's internal web port, beside /metrics, and show personal data.
"""

from email.message import EmailMessage
from pathlib import Path

from faust.types.web import Request, Response
from faust.web import View

from workers.engine.host import Host
from workers.mail import sink, templates

_HEADERS = ("From", "To", "Reply-To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe")
_SHOWN = 200
_PROTECTED = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def mount(app: Host, folder: Path) -> None:
    """Add the list and a page for each mail to the worker's web server."""

    @app.page("/mails", name="mails")
    async def mails(view: View, request: Request) -> Response:
        page = templates.layout("sink_list.html", "en").render(mails=sink.kept(folder, _SHOWN), most=_SHOWN)
        return view.html(page, headers=_PROTECTED)

    @app.page("/mails/{number}", name="mail")
    async def mail(view: View, request: Request, number: str) -> Response:
        message = sink.read(folder, number)
        if message is None:
            return view.html("<p>No such mail.</p>", status=404, headers=_PROTECTED)
        return view.html(_page(message, number), headers=_PROTECTED)


def _page(message: EmailMessage, number: str) -> str:
    headers = [(name, value) for name in _HEADERS for value in message.get_all(name, [])]
    text, html = _body(message, "plain"), _body(message, "html")
    return templates.layout("sink_mail.html", "en").render(number=number, headers=headers, text=text, html=html)


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else str(part.get_content())
