"""`/policy`: the version in force, every other one, and what changed from one to the next."""

from aiohttp import web
from markupsafe import Markup

from workers.policies import Policy
from workers.web import language
from workers.web.office import Office


class PolicyPages:
    """Shows; changes nothing and needs no database."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def in_force(self, request: web.Request) -> web.Response:
        """The version that applies today. 404 before there is one."""
        found = self._office.policies.effective(self._office.clock(), language.of_request(request))
        return self._whole(request, found)

    async def version(self, request: web.Request) -> web.Response:
        """One version, whether it applies or not."""
        return self._whole(request, self._named(request))

    async def difference(self, request: web.Request) -> web.Response:
        """What changed from the version before."""
        policy = self._named(request)
        if policy is None:
            raise web.HTTPNotFound
        return self._office.renderer.page(
            request, "policy_difference.html", policy=policy, before=self._office.policies.before(policy),
            changes=self._office.policies.changes(policy),
        )  # fmt: skip

    def _named(self, request: web.Request) -> Policy | None:
        """The version in the path; without one, the version in force."""
        spoken, named = language.of_request(request), request.match_info.get("version")
        if named is None:
            return self._office.policies.effective(self._office.clock(), spoken)
        return self._office.policies.find(named, spoken)

    def _whole(self, request: web.Request, policy: Policy | None) -> web.Response:
        if policy is None:
            raise web.HTTPNotFound
        policies, spoken, now = self._office.policies, language.of_request(request), self._office.clock()
        in_force = policies.effective(now, spoken)
        coming = policies.coming(now, spoken)
        return self._office.renderer.page(
            request, "policy.html", policy=policy, text=Markup(policy.html()),  # noqa: S704  (made without HTML of its own)
            in_force=in_force, coming=coming, has_before=policies.before(policy) is not None,
            versions=[one for one in policies.versions(spoken) if one.version != policy.version],
        )  # fmt: skip
