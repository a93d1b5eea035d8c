/* crm-sw.js: shows the push messages of the CRM and opens what they lead to. A shop with a service worker of its own
   imports it there: importScripts("…/crm-sw.js"). Messages of others are left alone. */
(() => {
  "use strict";

  const isOurs = (tag) => typeof tag === "string" && tag.startsWith("crm-");

  function read(event) {
    try { return event.data.json() || {}; } catch { return {}; }
  }

  self.addEventListener("push", (event) => {
    const told = read(event);
    if (!isOurs(told.tag) || typeof told.title !== "string") return;
    const shown = { body: told.body, tag: told.tag, lang: told.lang, data: { url: told.url } };
    if (told.image) shown.image = told.image;
    event.waitUntil(self.registration.showNotification(told.title, shown));
  });

  self.addEventListener("notificationclick", (event) => {
    if (!isOurs(event.notification.tag)) return;
    event.notification.close();
    const { url } = event.notification.data || {};
    if (/^https?:/.test(url || "")) event.waitUntil(self.clients.openWindow(url));
  });
})();
