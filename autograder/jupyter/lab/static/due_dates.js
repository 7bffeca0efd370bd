/* Due dates in the rows of nbgrader's Assignment List, as the server's autograder.assignment_list says them.

JupyterLab loads this as it loads bundled extensions, by two functions of module federation: init and get. It shares no module
with anybody, so that it needs no bundler and breaks with no version. nbgrader draws its rows anew after each click; whatever of
them is not found here is left as it is. */
(() => {
  "use strict";
  const ROWS = ["released", "fetched", "submitted"].map(kind => `#${kind}_assignments_list > .list_item`).join(", ");
  const MARK = "autograder-due";
  const FRESH_MS = 3000; // rows of one drawing are answered once, and the next drawing is asked for anew
  const LOOK = { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
                 hourCycle: "h23", timeZoneName: "short" };

  function words(due) {
    const at = due.at === null ? NaN : Date.parse(due.at);
    if (Number.isNaN(at)) return { text: `due ${due.words}`, title: "" };
    const local = new Intl.DateTimeFormat(undefined, LOOK).format(at); // where and how the reader has it, and its zone
    return { text: `${at < Date.now() ? "was due" : "due"} ${local}`, title: `${new Date(at).toISOString().slice(0, 16)} UTC` };
  }

  function put(row, dues) {
    const name = row.querySelector(".item_name"), course = row.querySelector(".item_course");
    if (!name?.firstElementChild || !course) return;
    const due = dues.find(one => one.assignment === name.firstElementChild.textContent.trim()
                              && one.course === course.textContent.trim());
    if (!due) return;
    const { text, title } = words(due), shown = document.createElement("div");
    shown.className = MARK;
    shown.style.cssText = "font-size: 0.9em; opacity: 0.8";
    shown.textContent = text;
    shown.title = title;
    name.append(shown);
  }

  function activate(app) {
    const { baseUrl, token } = app.serviceManager.serverSettings;
    let asked = -Infinity, answer = Promise.resolve([]), waiting = false;

    async function ask() {
      const xsrf = document.cookie.match("\\b_xsrf=([^;]*)\\b")?.[1]; // a JupyterHub wants it of whatever is no page
      const headers = { ...(xsrf && { "X-XSRFToken": xsrf }), ...(token && { Authorization: `token ${token}` }) };
      const reply = await fetch(`${baseUrl}autograder/due`, { headers });
      return reply.ok ? reply.json() : [];
    }

    async function fill() {
      waiting = false;
      const rows = [...document.querySelectorAll(ROWS)].filter(row => !row.dataset.autograderDue);
      if (rows.length === 0) return;
      rows.forEach(row => { row.dataset.autograderDue = "asked"; });
      if (performance.now() - asked > FRESH_MS) {
        asked = performance.now();
        answer = ask().catch(() => []); // no date is better than no list
      }
      const dues = await answer;
      rows.forEach(row => put(row, dues));
    }

    new MutationObserver(() => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(fill);
    }).observe(document.body, { childList: true, subtree: true });
  }

  const plugin = { id: "autograder:due-dates", autoStart: true, activate };
  (window._JUPYTERLAB ??= {}).autograder = { init: () => {}, get: async () => () => ({ __esModule: true, default: plugin }) };
})();
