/* crm.js: tells the CRM what a visitor does in the storefront, once they agreed. Its use: docs/storefront.md */
(() => {
  "use strict";

  const COOKIE = "crm_visitor", QUEUE = "crm_queue", LAST = "crm_visit";
  const COOKIE_SECONDS = 180 * 86400;
  const VISIT_MS = 30 * 60e3, SEND_MS = 2e3, LONGEST_PAUSE_MS = 5 * 60e3, OLDEST_MS = 23 * 3600e3;
  const MOST = 50; // events that wait, and events in one request
  const BODY = 16e3; // characters in one request: in UTF-8 less than the 64 KiB that a closing page may still send

  const script = document.currentScript || document.querySelector('script[src*="/crm.js"]');
  const early = window.crm || [];
  if (!script || !Array.isArray(early)) return; // a second copy on the same page

  const endpoint = new URL("collect/", script.src).href;
  const refused = () => navigator.globalPrivacyControl === true || navigator.doNotTrack === "1";
  let before = []; // what was told before the visitor was asked: kept in this page only
  let queue = read(sessionStorageOrNone(), QUEUE, []); // what waits
  let flying = []; // what is on its way; still stored, in case the page ends first
  let last = read(localStorageOrNone(), LAST, { at: 0, touch: "" }); // the last sign of life, and where from
  let failures = 0;
  let timer = 0;

  // The visitor: the cookie is the consent

  function visitor() {
    const found = document.cookie.match(/(?:^|; )crm_visitor=([\w-]{22})(?:;|$)/);
    return found && !refused() ? found[1] : "";
  }

  function setCookie(value, seconds) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${COOKIE}=${value}; Path=/; Max-Age=${seconds}; SameSite=Lax${secure}`;
  }

  function random(bytes) {
    const text = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(bytes))));
    return text.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function consent(yes) {
    if (!yes || refused()) {
      clearTimeout(timer);
      timer = 0;
      before = queue = flying = [];
      last = { at: 0, touch: "" };
      if (document.cookie.includes(`${COOKIE}=`)) setCookie("", 0);
      write(sessionStorageOrNone(), QUEUE, null);
      write(localStorageOrNone(), LAST, null);
      return;
    }
    setCookie(visitor() || random(16), COOKIE_SECONDS); // and 180 days more for who comes back
    if (!visitor()) return;
    const told = before;
    before = [];
    visit();
    told.forEach(add);
    plan();
  }

  // Events

  function add(event) {
    if (!visitor()) {
      if (!refused()) before = [...before, event].slice(-MOST);
      return;
    }
    visit();
    push(event);
  }

  function push(event) {
    queue = [...queue, { id: random(12), at: Date.now(), ...event }].slice(-MOST);
    store();
    plan();
  }

  /* A visit is the first event in half an hour, or the first one from another source. */
  function visit() {
    const url = new URL(location.href);
    [...url.searchParams.keys()].forEach((key) => key.startsWith("utm_") || url.searchParams.delete(key));
    url.hash = "";
    const from = document.referrer.split("/")[2] || "";
    const touch = url.search + (from === location.host ? "" : " " + from).trimEnd();
    last = read(localStorageOrNone(), LAST, last);
    const isNew = touch !== "" && touch !== last.touch;
    const isBack = !(Date.now() - last.at < VISIT_MS);
    last = { at: Date.now(), touch: isNew ? touch : last.touch };
    write(localStorageOrNone(), LAST, last);
    if (isNew || isBack)
      push({ kind: "visit", url: url.href.slice(0, 2000), referrer: document.referrer.slice(0, 2000) });
  }

  // Sending

  function plan() {
    const pause = failures ? Math.min(SEND_MS * 2 ** failures, LONGEST_PAUSE_MS) : SEND_MS;
    if (!timer && (queue.length || flying.length)) timer = setTimeout(guarded(send), pause);
  }

  function take() {
    const fresh = queue.filter((event) => Date.now() - event.at < OLDEST_MS);
    let size = 0;
    const end = fresh.findIndex((event) => (size += JSON.stringify(event).length + 1) > BODY);
    const some = end < 0 ? fresh : fresh.slice(0, end || 1);
    queue = fresh.slice(some.length);
    return some;
  }

  function body(events) {
    const channel = script.dataset.channel || "";
    return JSON.stringify({ visitor: visitor(), consent: true, sent_at: Date.now(), channel, events });
  }

  function post(events) {
    return fetch(endpoint, {
      method: "POST",
      body: body(events),
      headers: { "Content-Type": "text/plain;charset=UTF-8" }, // no preflight
      credentials: "omit",
      keepalive: true,
    });
  }

  function send() {
    timer = 0;
    if (flying.length || !visitor()) return;
    flying = take();
    store();
    if (flying.length) post(flying).then(answered, () => landed(flying, true)).catch(() => {});
  }

  async function answered(answer) {
    if (answer.ok) return landed([], false);
    if (answer.status === 429 || answer.status >= 500) return landed(flying, true);
    const { error = "", field = "" } = await answer.json().catch(() => ({}));
    console.warn(`crm.js: ${field} ${error}`);
    const wrong = Number((field.match(/^events\.(\d+)/) || [0, -1])[1]);
    return landed(wrong < 0 ? [] : flying.filter((_, place) => place !== wrong), false); // without the wrong one
  }

  function landed(again, isFailure) {
    failures = isFailure ? failures + 1 : 0;
    queue = [...again, ...queue].slice(-MOST);
    flying = [];
    if (visitor()) store();
    plan();
  }

  /* The page may be the last one: hand over what waits and do not wait for an answer. While nobody answers, keep it for
     the next page instead. A beacon is for browsers whose fetch ends with the page: it would send cookies too, and hide
     the origin of a page with a strict Referrer-Policy. */
  function leave() {
    if (failures || !visitor()) return;
    const events = take();
    store();
    if (!events.length) return;
    if ("keepalive" in Request.prototype) post(events).catch(() => {});
    else if (navigator.sendBeacon) navigator.sendBeacon(endpoint, body(events));
  }

  // What the browser keeps; without storage, a page keeps it in memory

  function sessionStorageOrNone() {
    try { return window.sessionStorage; } catch { return null; }
  }

  function localStorageOrNone() {
    try { return window.localStorage; } catch { return null; }
  }

  function read(storage, key, otherwise) {
    try { return JSON.parse(storage.getItem(key)) || otherwise; } catch { return otherwise; }
  }

  function write(storage, key, value) {
    try {
      if (value === null) storage.removeItem(key);
      else storage.setItem(key, JSON.stringify(value));
    } catch { /* full, or forbidden */ }
  }

  function store() {
    const all = [...flying, ...queue].slice(-MOST);
    write(sessionStorageOrNone(), QUEUE, all.length ? all : null);
  }

  // The page's side; nothing here may ever fail the page

  function guarded(body) {
    return (...args) => {
      try { return body(...args); } catch (error) { console.debug("crm.js", error); }
    };
  }

  // Push messages: the browser asks the person, once the page has been clicked

  const near = (path) => new URL(path, script.src).href;
  const workerUrl = () => script.dataset.worker || near("crm-sw.js");

  function tell(path, told) {
    const headers = { "Content-Type": "text/plain;charset=UTF-8" };
    return fetch(near(path), { method: "POST", body: JSON.stringify(told), headers, credentials: "omit" });
  }

  function active(registration) {
    if (registration.active) return registration;
    const worker = registration.installing || registration.waiting;
    return new Promise((done) =>
      worker.addEventListener("statechange", () => worker.state === "activated" && done(registration)));
  }

  async function subscription(key) {
    const { pushManager } = await active(await navigator.serviceWorker.register(workerUrl()));
    const wanted = { userVisibleOnly: true, applicationServerKey: key };
    return pushManager.subscribe(wanted).catch(async (error) => {
      const old = await pushManager.getSubscription(); // one that was made with another key
      if (!old) throw error;
      await old.unsubscribe();
      return pushManager.subscribe(wanted);
    });
  }

  async function subscribe(options = {}) {
    if (!visitor() || !("PushManager" in window)) return false;
    if ((await Notification.requestPermission()) !== "granted") return false;
    const known = await fetch(near("push/key/"), { credentials: "omit" });
    if (!known.ok) return false;
    const made = await subscription((await known.json()).key);
    const [language] = document.documentElement.lang.match(/^[a-z]{2,3}(-[a-z]{2})?$/i) || [""];
    const answer = await tell("push/subscribe/", {
      visitor: visitor(), subscription: made.toJSON(), language, text_version: options.textVersion || "",
    });
    return answer.ok;
  }

  async function unsubscribe() {
    const registration = await navigator.serviceWorker.getRegistration(workerUrl());
    const made = registration && (await registration.pushManager.getSubscription());
    if (!made) return false;
    const { ok } = await tell("push/unsubscribe/", { endpoint: made.endpoint });
    return (await made.unsubscribe()) && ok;
  }

  // The wishlist of who has not signed in: what is on it, or null without consent and when it could not be asked

  async function wishes(told) {
    if (!visitor()) return null;
    const answer = await tell("likes/", { visitor: visitor(), ...told });
    const { likes = null, field = "", error = "" } = await answer.json();
    if (!likes) console.warn(`crm.js: ${field} ${error}`);
    return likes;
  }

  const wish = (product, { variant, channel = script.dataset.channel || "" } = {}) =>
    ({ product: text(product), variant: text(variant), channel });

  const or = (value, body) => (...args) =>
    body(...args).catch((error) => (console.debug("crm.js", error), value));

  const text = (value) => (value === undefined || value === null || value === "" ? undefined : String(value));
  const commands = {
    consent,
    view: (product, variant) => add({ kind: "product_view", product: text(product), variant: text(variant) }),
    group: (group) => add({ kind: "group_view", group: text(group) }),
    search: (words) => {
      const typed = [...String(words).trim()].slice(0, 200).join("").trim();
      if (typed) add({ kind: "search", words: typed });
    },
    cart: (product, line = {}) =>
      add({
        kind: "cart_add",
        product: text(product),
        variant: text(line.variant),
        quantity: Number(line.quantity) || 1,
        cart: text(line.cart),
      }),
    track: (name, properties = {}) => add({ kind: "custom", name, properties }),
    form: (name, properties = {}) => add({ kind: "form", name, properties }),
    identify: (email) => add({ kind: "identify", email: String(email).trim() }),
    visitorId: visitor,
    push: (command) => commands[command[0]](...[...command].slice(1)),
  };
  Object.keys(commands).forEach((name) => (commands[name] = guarded(commands[name])));
  Object.assign(commands.push, { subscribe: or(false, subscribe), unsubscribe: or(false, unsubscribe) });
  Object.assign(commands, {
    like: or(null, async (...of) => wishes({ like: wish(...of) })),
    unlike: or(null, async (...of) => wishes({ unlike: wish(...of) })),
    likes: or(null, async () => wishes()),
  });

  function start() {
    if (refused()) consent(false);
    else if (visitor() || script.dataset.consent === "granted") consent(true);
    addEventListener("pagehide", guarded(leave));
    document.addEventListener("visibilitychange", guarded(() => document.visibilityState === "hidden" && leave()));
  }

  window.crm = commands;
  if (document.prerendering) document.addEventListener("prerenderingchange", guarded(start), { once: true });
  else guarded(start)();
  early.forEach(commands.push);
})();
