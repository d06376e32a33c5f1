// Routes, the bar at the top, keys.

let view = null;
let turn = 0;

function notFound(text) {
  return { node: h('div', { class: 'missing' }, h('h1', { tabindex: '-1' }, 'Not here'), h('p', null, said(text)), h('p', null, h('a', { href: to([]) }, 'To the overview'))), title: 'Not here' };
}

/** The view of an address. */
async function viewOf({ path, query }) {
  if (!path.length) return overviewView();
  if (path[0] === '-') {
    const [, kind, first, second] = path;
    if (kind === 'units') return unitsView(run.networks, query);
    if (kind === 'images') return imageView(first, Number(second));
    if (kind === 'experiments' && first !== undefined) return experimentView(first);
    const [a, b] = [networkNamed(first), networkNamed(second)];
    if (kind === 'compare' && a && b) return compareView(a, b, query);
    return notFound(`Nothing has the address ${location.hash}.`);
  }
  const net = networkNamed(path[0]);
  if (!net) return notFound(`There is no network ${path[0]} in this atlas.`);
  return path.length >= 3 ? unitView(net, path[1], Number(path[2]), query) : unitsView([net], path.length === 2 ? new URLSearchParams([...query, ['layer', path[1]]]) : query);
}

async function show() {
  const mine = ++turn;
  const at = address();
  if (view && view.stop) view.stop();
  maskWatchers.clear();
  let next;
  try {
    next = await viewOf(at);
  } catch (error) {
    next = { node: h('div', { class: 'missing' }, h('h1', { tabindex: '-1' }, 'Something is missing'), h('p', null, String(error.message || error))), title: 'Something is missing' };
  }
  if (mine !== turn) { if (next.stop) next.stop(); return; }
  view = next;
  if (next.repaint) maskWatchers.add(next.repaint);
  const main = clear(document.getElementById('main'));
  main.append(next.node);
  document.title = next.title ? `${next.title} · ${run.title}` : run.title;
  paintBar(at);
  if (started) { window.scrollTo(0, 0); const title = main.querySelector('h1'); if (title) title.focus({ preventScroll: true }); }
  started = true;
  document.documentElement.dataset.ready = String(mine);
}
let started = false;

function paintBar({ path }) {
  const current = path[0] === '-' ? '' : path[0];
  const here = (yes) => (yes ? 'page' : null);
  clear(document.getElementById('top')).append(h('nav', { 'aria-label': 'Pages' },
    h('a', { class: 'home', href: to([]), 'aria-current': here(!path.length) }, h('span', { class: 'logo', 'aria-hidden': 'true' }), 'Overview'),
    h('span', { class: 'nets' }, run.networks.map((net) => h('a', { href: to([net.name]), 'aria-current': here(net.name === current) }, said(net.name)))),
    run.experiments.length ? h('details', { class: 'menu' }, h('summary', null, 'Experiments'), h('ul', null, run.experiments.map((one) => h('li', null, h('a', { href: to(['-', 'experiments', one.name]), 'aria-current': here(path[1] === 'experiments' && path[2] === one.name) }, one.title))))) : null,
    h('a', { href: to(['-', 'units']), 'aria-current': here(path[1] === 'units' && path[0] === '-') }, 'All units'),
    h('button', { type: 'button', class: 'quiet theme', title: 'Light or dark (t)', 'aria-label': 'Light or dark', on: { click: turnTheme } }, '◐')));
}

function turnTheme() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  applyTheme(dark ? 'light' : 'dark');
}

function help() {
  const close = () => box.close();
  const box = h('dialog', { class: 'help', 'aria-labelledby': 'keys', on: { close: () => box.remove(), click: (event) => { if (event.target === box) close(); } } },
    h('h2', { id: 'keys' }, 'Keys'), h('dl', null, [['/', 'search'], ['j, k', 'next, previous unit'], ['arrows', 'among cards'], ['Enter', 'open a card'], ['m', 'masks: outline, dim, heat, off'], ['t', 'light or dark'], ['o', 'overview'], ['?', 'this list']].map(([key, text]) => [h('dt', null, h('kbd', null, key)), h('dd', null, text)])),
    h('button', { type: 'button', on: { click: close } }, 'Close'));
  document.body.append(box);
  box.showModal();
}

document.addEventListener('keydown', (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const typing = event.target.closest('input, select, textarea');
  if (event.key === 'Escape' && typing) { typing.blur(); return; }
  if (typing || document.querySelector('dialog[open]')) return;
  const act = {
    '/': () => { const search = document.getElementById('search'); if (search) { search.focus(); search.select(); } else location.hash = to(['-', 'units']); },
    m: () => setMasks(MASKS[(MASKS.findIndex(([key]) => key === maskMode) + 1) % MASKS.length][0]),
    t: turnTheme, o: () => { location.hash = to([]); }, '?': help,
    j: () => view && view.keys && view.keys.j && (location.hash = view.keys.j),
    k: () => view && view.keys && view.keys.k && (location.hash = view.keys.k),
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});
document.getElementById('skip').addEventListener('click', (event) => { event.preventDefault(); document.getElementById('main').focus(); });
document.addEventListener('click', (event) => { for (const menu of document.querySelectorAll('details.menu[open]')) if (!menu.contains(event.target) || event.target.closest('a')) menu.open = false; });
window.addEventListener('hashchange', show);

applyTheme(settings.get('theme', 'auto'));
load('run', true).then((value) => {
  run = value;
  document.getElementById('foot').append(h('p', null, run.notice ? [run.notice, h('br')] : null, `Made by ${run.made}. Nothing here is loaded from a network.`));
  return show();
}).catch((error) => {
  clear(document.getElementById('main')).append(h('p', { class: 'loading', role: 'alert' }, error.message));
});
