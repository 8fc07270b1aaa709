// Walks the tree that stands in the page. The words of messages are HTML that was made safe when the page was written;
// everything else becomes text. Messages are filled in when they come near the window, and the rest when there is time.
(() => {
  "use strict";

  const { leaf: FIRST_LEAF, messages } = JSON.parse(document.getElementById("data").textContent);
  const transcript = document.getElementById("transcript");
  const said = document.getElementById("said");
  const outline = document.getElementById("outline");
  const rowsBox = document.getElementById("rows");
  const keysBox = document.getElementById("keys");
  const bar = document.getElementById("bar");
  const root = document.documentElement;
  const NOSCRIPT = new Map();
  for (const one of document.querySelectorAll("noscript[data-number]")) {
    NOSCRIPT.set(Number(one.dataset.number), one.textContent);
    one.remove();
  }

  const byId = new Map();
  const children = new Map([[-1, []]]);
  messages.forEach((message, number) => {
    byId.set(message.id, number);
    children.set(number, []);
    children.get(message.parent).push(number);
  });

  const last = (list) => list[list.length - 1];
  const nextOf = (number) => messages[number].next ?? -1;
  const isHidden = (number) => number >= 0 && Boolean(messages[number].hidden);
  /** The branches at a message's place, those apart that were hidden there. */
  const branchesBelow = new Map();
  const beside = (number) => {
    const { parent } = messages[number];
    const here = children.get(parent);
    if (isHidden(number) !== isHidden(parent)) {
      return here.filter((one) => one === number || isHidden(one) === isHidden(parent));
    }
    if (!branchesBelow.has(parent)) branchesBelow.set(parent, here.filter((one) => isHidden(one) === isHidden(parent)));
    return branchesBelow.get(parent);
  };

  const element = (tag, text = "", attributes = {}) => {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const button = (text, label, act, attributes = {}) => {
    const made = element("button", text, { type: "button", "aria-label": label, ...attributes });
    made.addEventListener("click", act);
    return made;
  };
  const say = (words) => { said.textContent = words; };

  // -- the path -------------------------------------------------------------------------------------

  let path = [];
  let places = new Map(); // message number -> place on the path
  let articles = [];
  let current = -1; // place on the path
  const unfilled = new Set();
  const near = new IntersectionObserver(
    (entries) => entries.forEach((entry) => entry.isIntersecting && fill(entry.target)),
    { rootMargin: "1500px 0px" },
  );

  const pathTo = (number) => {
    const found = [];
    for (let one = number; one >= 0; one = messages[one].parent) found.push(one);
    return found.reverse();
  };
  const endBelow = (number) => {
    let end = number;
    while (nextOf(end) >= 0) end = nextOf(end);
    return end;
  };

  const shell = (number) => {
    const message = messages[number];
    const made = element("article", "", { class: message.class, id: `m-${message.id}`, tabindex: "-1" });
    made.setAttribute("aria-label", message.who);
    made.dataset.number = number;
    // A guess of its height, so that the scroll bar is right before it was drawn.
    const length = (message.html ?? NOSCRIPT.get(number) ?? "").length;
    made.style.containIntrinsicSize = `auto ${Math.round(70 + Math.min(length, 40000) / 2.6)}px`;
    unfilled.add(made);
    near.observe(made);
    return made;
  };

  function fill(article) {
    if (!unfilled.delete(article)) return;
    near.unobserve(article);
    const number = Number(article.dataset.number);
    const template = document.createElement("template");
    template.innerHTML = messages[number].html ?? NOSCRIPT.get(number) ?? "";
    article.append(...(template.content.querySelector("article") ?? template.content).childNodes);
    tellTimes(article);
    fillPlace(article, number);
  }

  /** Times as the reader's clock has them. */
  function tellTimes(box) {
    for (const time of box.querySelectorAll("time")) {
      const moment = new Date(time.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      time.title = time.textContent;
      time.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    }
  }

  function fillPlace(article, number) {
    const place = article.querySelector(".place");
    place.textContent = "";
    const list = beside(number);
    if (list.length > 1) {
      const index = list.indexOf(number);
      const step = (sign, words, by) => {
        const made = button(sign, `${words} branch`, () => flip(number, by, true));
        made.disabled = !list[index + by] && list[index + by] !== 0;
        return made;
      };
      place.append(step("‹", "Previous", -1), element("span", `${index + 1}/${list.length}`), step("›", "Next", 1));
    }
    const hidden = children.get(messages[number].parent).length - list.length;
    if (hidden > 0) place.append(button(`+${hidden} hidden`, `${hidden} hidden here; opens the tree`, openOutline, { class: "others" }));
  }

  let idle = 0;
  const later = window.requestIdleCallback ?? ((act) => setTimeout(() => act({ timeRemaining: () => 8 }), 50));
  function fillInTime() {
    if (idle || !unfilled.size) return;
    idle = later((deadline) => {
      idle = 0;
      let number = 0;
      for (const article of unfilled) {
        fill(article);
        number += 1;
        if (number % 8 === 0 && deadline.timeRemaining() < 3) break;
      }
      fillInTime();
    });
  }
  const fillAll = () => { for (const article of [...unfilled]) fill(article); };

  /** Show the path to a leaf. What it has in common with the path before stays as it is. */
  function show(leaf) {
    const wanted = pathTo(leaf);
    let common = 0;
    while (common < path.length && path[common] === wanted[common]) common += 1;
    for (const article of articles.splice(common)) {
      unfilled.delete(article);
      near.unobserve(article);
      article.remove();
    }
    const made = wanted.slice(common).map(shell);
    articles.push(...made);
    transcript.append(...made);
    path = wanted;
    places = new Map(path.map((number, place) => [number, place]));
    if (current >= path.length) current = path.length - 1;
    made.slice(0, 6).forEach(fill);
    fillInTime();
  }

  // -- where the reader is --------------------------------------------------------------------------

  let byHand = false; // the reader scrolls: the message at the top becomes the current one

  function mark(place) {
    articles[current]?.removeAttribute("aria-current");
    current = place;
    articles[current]?.setAttribute("aria-current", "true");
  }

  /** Go to a message of the path, and bring it to the top of the window, or to where it is wanted. */
  function goTo(place, { focus = true, top = null } = {}) {
    if (!path.length) return;
    mark(Math.max(0, Math.min(place, path.length - 1)));
    const article = articles[current];
    articles.slice(Math.max(0, current - 8), current + 8).forEach(fill);
    byHand = false;
    const bring = () => {
      if (articles[current] !== article || byHand) return;
      if (top === null) article.scrollIntoView({ block: "start" });
      else window.scrollBy(0, article.getBoundingClientRect().top - top);
    };
    bring();
    if (focus) article.focus({ preventScroll: true });
    // What was guessed of the heights above is known after a frame.
    requestAnimationFrame(() => { bring(); requestAnimationFrame(bring); });
  }

  function hash() {
    const leaf = last(path);
    if (leaf === undefined) return "";
    const at = path[Math.max(current, 0)];
    const here = `#m-${messages[at].id}`;
    return endBelow(at) === leaf ? here : `${here},${messages[leaf].id}`;
  }
  function remember(isNew) {
    const address = hash();
    if (!address || address === location.hash) return;
    try {
      history[isNew ? "pushState" : "replaceState"](null, "", address);
    } catch {
      // Some viewers have no history; then the page has no addresses.
    }
  }
  let remembering = 0;
  const rememberSoon = () => {
    clearTimeout(remembering);
    remembering = setTimeout(() => remember(false), 250);
  };

  /** Go where the address points. Returns whether it points at a message. */
  function follow() {
    const [, id, end] = /^#m-([\w-]+)(?:,([\w-]+))?$/.exec(location.hash) ?? [];
    if (!byId.has(id)) return false;
    const number = byId.get(id);
    let leaf = byId.get(end) ?? -1;
    if (leaf < 0 || !pathTo(leaf).includes(number)) leaf = endBelow(number);
    show(leaf);
    goTo(places.get(number), { focus: true });
    return true;
  }

  /** Go to the branch beside a message. */
  function flip(number, step, byMouse = false) {
    const list = beside(number);
    const other = list[list.indexOf(number) + step];
    if (other === undefined) {
      say(`No branch further ${step > 0 ? "right" : "left"}`);
      return;
    }
    const place = places.get(number);
    const { top } = articles[place].getBoundingClientRect();
    const inSight = top >= 0 && top < window.innerHeight;
    show(endBelow(other));
    goTo(place, { focus: !byMouse, top: inSight ? top : null });
    if (byMouse) {
      const buttons = [...articles[place].querySelectorAll(".place button:not(:disabled)")];
      (buttons[step > 0 ? buttons.length - 1 : 0] ?? articles[place]).focus({ preventScroll: true });
    }
    remember(true);
    say(`Branch ${list.indexOf(other) + 1} of ${list.length}`);
  }

  /** The message whose branches the keys switch: the current one, or the nearest above it, or below it. */
  function fork() {
    const has = (number) => number !== undefined && beside(number).length > 1;
    for (let place = Math.max(current, 0); place >= 0; place -= 1) if (has(path[place])) return path[place];
    return path.slice(Math.max(current, 0) + 1).find(has);
  }
  function flipNearest(step) {
    const number = fork();
    if (number === undefined) say("There is one branch only");
    else flip(number, step);
  }

  // -- the outline ----------------------------------------------------------------------------------

  const KEPT = 2; // so many messages at either end of a straight run stand in the outline
  const SHORTEST_FOLD = 4;
  const unfolded = new Set();

  /** The straight runs of the tree, as they are listed: of the branches of a fork, the longest last, not further in. */
  let runs = null;
  function makeRuns() {
    if (runs) return runs;
    const weight = new Array(messages.length).fill(1);
    for (let one = messages.length - 1; one >= 0; one -= 1) {
      if (messages[one].parent >= 0) weight[messages[one].parent] += weight[one];
    }
    runs = [];
    const todo = [];
    const push = (parent, depth) => {
      const list = children.get(parent);
      if (!list.length) return;
      const trunk = list.reduce((best, one) => (weight[one] >= weight[best] ? one : best));
      todo.push([trunk, depth, false]);
      for (const one of [...list].reverse()) if (one !== trunk) todo.push([one, depth + 1, true]);
    };
    push(-1, 0);
    while (todo.length) {
      const [head, depth, inner] = todo.pop();
      const run = { depth, inner, members: [head] };
      while (children.get(last(run.members)).length === 1) run.members.push(children.get(last(run.members))[0]);
      runs.push(run);
      push(last(run.members), depth);
    }
    return runs;
  }

  function row(number, run, isFirst) {
    const message = messages[number];
    const states = [];
    if (message.ended) states.push("⊘ ended");
    if (message.warned) states.push("△ warned");
    if (message.hidden) states.push("(hidden)");
    const made = button("", "", () => {
      outline.close();
      show(places.has(number) ? last(path) : endBelow(number));
      goTo(places.get(number));
      remember(true);
    }, { role: "treeitem", "aria-level": String(run.depth + 1), tabindex: "-1", class: "row" });
    made.removeAttribute("aria-label");
    made.dataset.depth = Math.min(run.depth, 12);
    if (isFirst && run.inner) made.classList.add("inner");
    if (message.hidden) made.classList.add("hidden-branch");
    if (places.has(number)) made.classList.add("on-path");
    if (path[current] === number) made.setAttribute("aria-current", "true");
    const list = isFirst && isHidden(number) === isHidden(message.parent) ? beside(number) : [];
    made.append(element("span", places.has(number) ? "●" : "○", { class: "dot", "aria-hidden": "true" }));
    made.append(element("span", message.class.startsWith("message user") ? "You" : "Model", { class: "who" }));
    if (list.length > 1) made.append(element("span", `${list.indexOf(number) + 1}/${list.length}`, { class: "place" }));
    if (message.label) made.append(element("span", `⚑ ${message.label}`, { class: "label" }));
    made.append(element("span", message.preview, { class: "words", dir: "auto" }));
    for (const state of states) made.append(element("span", state, { class: "mark" }));
    return made;
  }

  function drawOutline() {
    const found = [];
    for (const run of makeRuns()) {
      const { members } = run;
      const kept = (index) => index < KEPT || index >= members.length - KEPT || members[index] === path[current]
        || messages[members[index]].ended || messages[members[index]].label;
      for (let index = 0; index < members.length;) {
        let stop = index;
        while (!unfolded.has(members[0]) && stop < members.length && !kept(stop)) stop += 1;
        if (stop - index >= SHORTEST_FOLD) {
          const fold = button(`▸ ${stop - index} messages`, "", () => {
            unfolded.add(members[0]);
            const here = [...rowsBox.children].indexOf(fold);
            drawOutline();
            rove(here);
          }, { role: "treeitem", "aria-level": String(run.depth + 1), tabindex: "-1", class: "row fold" });
          fold.removeAttribute("aria-label");
          fold.dataset.depth = Math.min(run.depth, 12);
          found.push(fold);
          index = stop;
        } else {
          found.push(row(members[index], run, index === 0));
          index += 1;
        }
      }
    }
    rowsBox.replaceChildren(...found);
  }

  let atRow = 0;
  function rove(index) {
    const rows = rowsBox.children;
    if (!rows.length) return;
    rows[atRow]?.setAttribute("tabindex", "-1");
    atRow = Math.max(0, Math.min(index, rows.length - 1));
    rows[atRow].setAttribute("tabindex", "0");
    rows[atRow].focus({ preventScroll: true });
    rows[atRow].scrollIntoView({ block: "nearest" });
  }

  function openOutline() {
    if (outline.open || !messages.length) return;
    drawOutline();
    outline.showModal();
    const here = rowsBox.querySelector('[aria-current="true"]');
    rove(here ? [...rowsBox.children].indexOf(here) : 0);
    rowsBox.children[atRow].scrollIntoView({ block: "center" });
  }

  const ROW_KEYS = {
    ArrowDown: () => rove(atRow + 1),
    j: () => rove(atRow + 1),
    ArrowUp: () => rove(atRow - 1),
    k: () => rove(atRow - 1),
    Home: () => rove(0),
    End: () => rove(rowsBox.children.length - 1),
    t: () => outline.close(),
  };

  // -- light and dark -------------------------------------------------------------------------------

  const SCHEMES = { "": "Auto", light: "Light", dark: "Dark" };
  const KEPT_AS = "convend-colours";
  let schemeButton = null;
  function setScheme(scheme) {
    if (scheme) root.dataset.scheme = scheme;
    else delete root.dataset.scheme;
    if (schemeButton) schemeButton.textContent = SCHEMES[scheme];
  }
  function nextScheme() {
    const names = Object.keys(SCHEMES);
    const scheme = names[(names.indexOf(root.dataset.scheme ?? "") + 1) % names.length];
    setScheme(scheme);
    say(`Colours: ${SCHEMES[scheme]}`);
    try {
      localStorage.setItem(KEPT_AS, scheme);
    } catch {
      // Not kept where nothing may be kept.
    }
  }

  // -- keys and the bar -----------------------------------------------------------------------------

  const openKeys = () => { if (!keysBox.open) keysBox.showModal(); };
  const move = (place) => { goTo(place); rememberSoon(); };
  const KEYS = {
    j: () => move(current + 1),
    k: () => move(current - 1),
    Home: () => move(0),
    End: () => move(path.length - 1),
    "[": () => flipNearest(-1),
    "]": () => flipNearest(1),
    ArrowLeft: () => flipNearest(-1),
    ArrowRight: () => flipNearest(1),
    t: openOutline,
    d: nextScheme,
    "?": openKeys,
  };
  const SCROLLING = ["ArrowUp", "ArrowDown", "PageUp", "PageDown", " "];

  /** Whether an arrow key scrolls what has the focus sideways. */
  const scrollsSideways = (event) => {
    const box = event.target instanceof Element ? event.target.closest("pre, .table") : null;
    return box !== null && event.key.startsWith("Arrow") && box.scrollWidth > box.clientWidth;
  };

  document.addEventListener("keydown", (event) => {
    // Brackets need AltGr on many keyboards, which counts as Ctrl and Alt on some systems.
    const isCommand = event.metaKey || (!event.getModifierState("AltGraph") && (event.ctrlKey || event.altKey));
    if (isCommand || event.isComposing || event.defaultPrevented) return;
    if (keysBox.open) {
      if (event.key === "?") keysBox.close();
      return;
    }
    if (SCROLLING.includes(event.key) && !outline.open) byHand = true;
    const act = (outline.open ? ROW_KEYS : KEYS)[event.key];
    if (!act || scrollsSideways(event)) return;
    event.preventDefault();
    act();
  });
  for (const name of ["wheel", "touchmove", "pointerdown"]) {
    window.addEventListener(name, () => { byHand = true; }, { passive: true });
  }

  let drawing = 0;
  window.addEventListener("scroll", () => {
    if (!byHand || drawing) return;
    drawing = requestAnimationFrame(() => {
      drawing = 0;
      const box = transcript.getBoundingClientRect();
      const found = document.elementFromPoint(box.left + box.width / 2, bar.offsetHeight + 60)?.closest("article.message");
      if (!byHand || !found) return;
      const place = places.get(Number(found.dataset.number));
      if (place !== undefined && place !== current) {
        mark(place);
        rememberSoon();
      }
    });
  }, { passive: true });
  transcript.addEventListener("focusin", (event) => {
    const article = event.target.closest("article.message");
    const place = article ? places.get(Number(article.dataset.number)) : undefined;
    if (place === undefined || place === current) return;
    mark(place);
    rememberSoon();
  });
  window.addEventListener("popstate", () => {
    if (!follow() && !location.hash && FIRST_LEAF >= 0) show(FIRST_LEAF);
  });
  window.addEventListener("hashchange", follow);
  window.addEventListener("beforeprint", fillAll);
  for (const box of [outline, keysBox]) {
    box.querySelector(".close").addEventListener("click", () => box.close());
    box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
    box.addEventListener("close", () => articles[current]?.focus({ preventScroll: true }));
  }

  schemeButton = button("Auto", "Colours: light, dark, or as the system has it", nextScheme);
  bar.append(
    element("span", document.title, { class: "title", dir: "auto" }),
    button("Tree", "The tree as an outline", openOutline),
    schemeButton,
    button("Keys", "The keys", openKeys),
  );
  bar.hidden = false;
  tellTimes(document.querySelector(".top"));
  new IntersectionObserver(([seen]) => bar.classList.toggle("below-title", !seen.isIntersecting), { rootMargin: "-48px 0px 0px" })
    .observe(document.querySelector("h1"));
  let scheme = "";
  try {
    scheme = localStorage.getItem(KEPT_AS) ?? "";
  } catch {
    // Nothing is kept.
  }
  setScheme(Object.hasOwn(SCHEMES, scheme) ? scheme : "");

  if (FIRST_LEAF >= 0) {
    show(FIRST_LEAF);
    if (!follow()) mark(0);
  }
})();
