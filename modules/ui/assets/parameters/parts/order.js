// The list is drawn here and nowhere else; its value goes to the server as names from first to last.
const TEMPERATURES = new Set(["temperature", "dynamic_temperature", "quadratic_sampling"]);
const make = window.overlay.element;
const list = make("ol");
const spoken = make("small");
spoken.setAttribute("role", "status");
list.setAttribute("aria-label", window.text("Order in which the samplers are applied"));
element.append(
  make("p", { textContent: window.text("Drag a row, or use its arrows or Alt with the arrow keys. Samplers without a tick do not run.") }),
  list,
  spoken,
);
/** @typedef {{ name: string, runs: boolean }} Row */
/** @type {Row[]} */
let rows = [];
/** @param {string} name */
const isRunning = (name) => (props.value ?? []).includes(name);
/** @param {string} name */
const said = (name) => name.replaceAll("_", " ");

const send = () => {
  props.value = rows.filter((row) => row.runs).map((row) => row.name);
  trigger("input");
};
/** @param {string} name @param {string} part */
const focusOn = (name, part) => list.querySelector(`[data-name="${name}"] ${part}`)?.focus();
/** @param {string} name @param {number} by @param {string} part */
const move = (name, by, part) => {
  const from = rows.findIndex((row) => row.name === name);
  const to = Math.max(0, Math.min(rows.length - 1, from + by));
  if (from === to) return;
  rows.splice(to, 0, ...rows.splice(from, 1));
  draw();
  if (part) focusOn(name, part);
  spoken.textContent = window.text("{name}: place {place} of {count}", { name: said(name), place: to + 1, count: rows.length });
};
/** @param {PointerEvent} event @param {HTMLElement} handle @param {HTMLElement} row */
const drag = (event, handle, row) => {
  handle.setPointerCapture(event.pointerId);
  row.classList.add("is-dragged");
  /** @param {PointerEvent} moved */
  const follow = (moved) => {
    const others = [...list.children];
    const under = others.find((other) => {
      const box = other.getBoundingClientRect();
      return moved.clientY >= box.top && moved.clientY <= box.bottom;
    });
    if (!under || under === row) return;
    const isBelow = others.indexOf(under) > others.indexOf(row);
    list.insertBefore(row, isBelow ? under.nextSibling : under);
    // A node that is moved lets go of the pointer.
    handle.setPointerCapture(event.pointerId);
  };
  const drop = () => {
    handle.removeEventListener("pointermove", follow);
    row.classList.remove("is-dragged");
    const places = [...list.querySelectorAll("li")].map((child) => child.dataset.name);
    rows.sort((one, other) => places.indexOf(one.name) - places.indexOf(other.name));
    draw();
    send();
  };
  handle.addEventListener("pointermove", follow);
  handle.addEventListener("pointerup", drop, { once: true });
  handle.addEventListener("pointercancel", drop, { once: true });
};
/** @param {string} name @param {number} by */
const arrow = (name, by) => {
  const kind = by < 0 ? "up" : "down";
  const title = by < 0 ? window.text("Move up") : window.text("Move down");
  const label = by < 0 ? window.text("Move {name} up", { name: said(name) }) : window.text("Move {name} down", { name: said(name) });
  const button = make("button", { type: "button", textContent: by < 0 ? "↑" : "↓", className: kind, title });
  button.setAttribute("aria-label", label);
  button.addEventListener("click", () => {
    move(name, by, `.${kind}`);
    send();
  });
  return button;
};
/** @param {Row} row */
const drawn = ({ name, runs }) => {
  const row = make("li", { className: runs ? "" : "is-off" });
  row.dataset.name = name;
  const handle = make("span", { className: "handle", textContent: "⠿" });
  handle.setAttribute("aria-hidden", "true");
  handle.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    drag(event, handle, row);
  });
  const tick = make("input", { type: "checkbox", checked: runs });
  tick.addEventListener("change", () => {
    rows = rows.map((each) => (each.name === name ? { name, runs: tick.checked } : each));
    row.classList.toggle("is-off", !tick.checked);
    send();
  });
  const label = make("label");
  label.append(tick, make("span", { textContent: said(name) }));
  if (props.last && TEMPERATURES.has(name)) label.append(make("small", { textContent: window.text("after all others") }));
  row.append(handle, label, arrow(name, -1), arrow(name, 1));
  row.addEventListener("keydown", (event) => {
    if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    event.preventDefault();
    const focused = document.activeElement;
    const part = !focused || focused.matches("input") ? "input" : `.${focused.className}`;
    move(name, event.key === "ArrowUp" ? -1 : 1, part);
    send();
  });
  return row;
};
/** @type {unknown} */
let last;
const draw = () => {
  last = props.last;
  list.replaceChildren(...rows.map(drawn));
};
const take = () => {
  const running = [...new Set(props.value ?? [])];
  const shown = rows.filter((row) => row.runs).map((row) => row.name);
  if (rows.length && last === props.last && JSON.stringify(running) === JSON.stringify(shown)) return;
  const off = SAMPLERS.filter((name) => !isRunning(name));
  rows = [...running.map((name) => ({ name, runs: true })), ...off.map((name) => ({ name, runs: false }))];
  draw();
};
watch(["value", "last"], take);
take();
