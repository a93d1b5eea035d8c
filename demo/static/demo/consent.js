/* Asks once whether the CRM may remember; the answer "no" is remembered too, and can be changed. */
(() => {
  "use strict";

  const ANSWER = "demo_consent";
  const banner = document.getElementById("consent");
  const again = document.querySelector("[data-consent-again]");
  const remembered = () => {
    try { return localStorage.getItem(ANSWER); } catch { return null; }
  };

  function show(isAsking) {
    banner.hidden = !isAsking;
    again.hidden = isAsking;
  }

  function answer(yes) {
    try { localStorage.setItem(ANSWER, yes ? "yes" : "no"); } catch { /* asked again on the next page */ }
    window.crm.push(["consent", yes]);
    show(false);
    again.focus();
  }

  banner.querySelectorAll("[data-consent-answer]").forEach((button) =>
    button.addEventListener("click", () => answer(button.dataset.consentAnswer === "yes")));
  again.addEventListener("click", () => {
    show(true);
    banner.querySelector("button").focus();
  });
  show(!remembered());
})();
