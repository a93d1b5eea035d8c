"""A page for trying out queries: one form, nothing loaded from elsewhere."""

from __future__ import annotations

from secrets import token_urlsafe
from string import Template

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>CRM GraphQL</title>
<style nonce="$nonce">
  body { font: 16px/1.4 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  textarea, pre { width: 100%; box-sizing: border-box; font: 14px/1.4 ui-monospace, monospace }
  pre { background: #f4f4f4; padding: 1rem; overflow: auto; min-height: 4rem }
  label { display: block; margin-top: 1rem }
</style>
<h1>CRM GraphQL</h1>
<form>
  <label for="query">Query</label>
  <textarea id="query" rows="12">{ crmCampaigns(first: 10) { edges { node { id name state inFlight } } } }</textarea>
  <label for="variables">Variables (JSON)</label>
  <textarea id="variables" rows="4">{}</textarea>
  <p><button>Send</button></p>
</form>
<pre aria-live="polite"></pre>
<script nonce="$nonce">
  const answer = document.querySelector("pre");
  document.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const body = { query: query.value, variables: JSON.parse(variables.value || "{}") };
      const response = await fetch(location.pathname, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": "$token" },
        body: JSON.stringify(body),
      });
      answer.textContent = JSON.stringify(await response.json(), null, 2);
    } catch (error) {
      answer.textContent = String(error);
    }
  });
</script>
</html>
""")


def page(request: HttpRequest) -> HttpResponse:
    """Return the page. Its script and style are the only ones that it may run."""
    nonce = token_urlsafe(16)
    return HttpResponse(
        _PAGE.substitute(nonce=nonce, token=get_token(request)),
        headers={
            "Content-Security-Policy": (
                f"default-src 'none'; connect-src 'self'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
            ),
            "X-Content-Type-Options": "nosniff",
        },
    )
