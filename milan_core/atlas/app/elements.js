// Elements without HTML: texts of the data become text nodes, never markup.

const SVG = 'http://www.w3.org/2000/svg';
const inSvg = new Set(['svg', 'g', 'path', 'line', 'rect', 'circle', 'title', 'text']);

/** An element. Attributes: `on` holds listeners, `class`, `data-*` and others are set as text. */
function h(tag, attributes, ...children) {
  const node = inSvg.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') for (const [kind, act] of Object.entries(value)) node.addEventListener(kind, act);
    else if (name === 'value' || name === 'checked' || name === 'selected') node[name] = value;
    else if (name === 'style') for (const [key, one] of Object.entries(value)) node.style.setProperty(key, one);
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  add(node, children);
  return node;
}

/** Append texts, nodes and lists of them. */
function add(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** A text of the data, its writing direction kept from its surroundings. */
const said = (text, attributes) => h('bdi', { dir: 'auto', ...attributes }, text);

/** A text of ours in which words between backticks are code. */
function coded(text) {
  return String(text).split('`').map((part, i) => (i % 2 ? h('code', null, part) : part));
}

const clear = (node) => { node.replaceChildren(); return node; };

/** A number with a true minus; a dash where there is none. */
function num(value, digits = 2) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  return value.toFixed(digits).replace('-', '−');
}
/** As `num`, without the zero before the point: .42 */
const short = (value, digits = 2) => num(value, digits).replace(/^(−?)0\./, '$1.');
const percent = (value) => (value === null || value === undefined ? '–' : `${Math.round(100 * value)} %`);
const count = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ' ');
const plural = (value, word, many = word + 's') => `${count(value)} ${value === 1 ? word : many}`;

/** Three or four significant digits. */
function brief(value) {
  if (value === null || value === undefined) return '–';
  const text = Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(2) : Number(value.toPrecision(4)).toString();
  return text.replace('-', '−').replace('e−', 'e−');
}

/** Save text as a file of the user's. */
function download(name, text, type = 'text/csv') {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = h('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** A cell of CSV; what a spreadsheet would take for a formula gets an apostrophe. */
function csvCell(value) {
  let text = value === null || value === undefined ? '' : String(value);
  if (typeof value === 'string' && /^'*[=+\-@\t\r\n＝＋－＠]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
const csv = (rows) => rows.map((row) => row.map(csvCell).join(',') + '\n').join('');

/** A labelled select; options are [value, text] pairs. */
function select(label, options, value, change) {
  const control = h('select', { on: { change: () => change(control.value) } },
    options.map(([key, text]) => h('option', { value: key, selected: key === value }, text)));
  control.value = value;
  return h('label', { class: 'field' }, h('span', null, label), control);
}

/** Buttons of which one is pressed. */
function segmented(label, options, value, change) {
  const group = h('div', { class: 'segmented', role: 'group', 'aria-label': label });
  const paint = (chosen) => {
    for (const one of group.children) one.setAttribute('aria-pressed', String(one.dataset.key === chosen));
  };
  for (const [key, text, hint] of options) {
    group.append(h('button', { type: 'button', 'data-key': key, title: hint, on: { click: () => { paint(key); change(key); } } }, text));
  }
  paint(value);
  group.show = paint;
  return group;
}

/** Tell screen readers. */
function announce(text) {
  const place = document.getElementById('announce');
  if (place.textContent !== text) place.textContent = text;
}
