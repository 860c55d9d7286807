// Small helpers for elements.

export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// Write only what differs: screen readers announce every change.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function flag(element, name, value) {
  const text = String(value);
  if (element.dataset[name] !== text) element.dataset[name] = text;
}

export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export function clockWords(ms) {
  return ms === null ? "--:--:--" : CLOCK.format(new Date(ms));
}

// A time that may be of another day than today.
export function timeWords(ms) {
  const day = DAY.format(ms);
  return day === DAY.format(Date.now()) ? clockWords(ms) : `${day}, ${clockWords(ms)}`;
}
