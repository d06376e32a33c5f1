// Two networks side by side: unit by unit where the names agree, or the units that act most alike.

const PAIR_SORTS = [['', 'layer, unit'], ['alike', 'most alike first'], ['alike-', 'least alike first'], ['texts', 'other text first']];

async function compareView(a, b, query) {
  const [left, right] = await Promise.all([columns(a).whole, columns(b).whole]);
  const paired = run.pairs.some(([i, j]) => run.networks[i] === a && run.networks[j] === b);
  const near = paired ? await load(`pairs/${a.slug}--${b.slug}`) : null;
  const same = sameUnits(a, left, b, right);
  const modes = [near ? ['alike', 'Most alike', 'The unit of the other network with the highest correlation on the same images'] : null, same.some((v) => v >= 0) ? ['same', 'Same unit', 'The unit of the same layer and number'] : null].filter(Boolean);
  let mode = modes.some(([key]) => key === query.get('by')) ? query.get('by') : modes.length ? modes[0][0] : '';
  let sort = query.get('sort') || '', layer = query.get('layer') || '', rows = [];
  const other = (u) => (mode === 'alike' ? (near[u][0] ? near[u][0][0] : -1) : same[u]);
  const value = (u) => (near && near[u].find(([v]) => v === other(u)) || [0, null])[1];
  const list = windowed('Pairs of units', () => rows.length, (i) => pairCard(rows[i]), 560);
  function pairCard(u) {
    const v = other(u), r = value(u);
    const aside = r === null ? h('span') : alikeChip(r);
    return h('li', { class: 'card pair' }, unitCard(a, left, u, { aside, tag: 'div', query: { compare: b.name } }), v < 0 ? h('div', { class: 'card' }, h('span', { class: 'none' }, 'no unit acts alike')) : unitCard(b, right, v, { tag: 'div', query: { compare: a.name } }));
  }
  const number = h('output', { class: 'number' });
  function refresh() {
    const at = layer ? a.layers.findIndex((one) => one.name === layer) : -1;
    rows = [];
    for (let u = 0; u < a.units; u++) if ((!layer || left.layer[u] === at) && (mode === 'alike' || same[u] >= 0)) rows.push(u);
    const key = sort.startsWith('alike') ? (u) => (value(u) ?? -1) * (sort.endsWith('-') ? -1 : 1) : sort === 'texts' ? (u) => { const v = other(u); return v >= 0 && right.text[v] !== left.text[u] ? 1 : 0; } : null;
    if (key) rows.sort((x, y) => key(y) - key(x) || x - y);
    number.value = plural(rows.length, 'pair');
    list.show();
  }
  const pick = (label, current, make) => select(label, run.networks.map((net) => [net.name, net.name]), current.name, (name) => { location.hash = make(name); });
  const agree = rows0(a, same).filter((u) => right.text[same[u]] === left.text[u]).length;
  const node = h('div', { class: 'compare' }, h('h1', { tabindex: '-1' }, said(a.name), ' and ', said(b.name)),
    h('form', { class: 'tools', 'aria-label': 'Pairs', on: { submit: (event) => event.preventDefault() } },
      pick('Left', a, (name) => to(['-', 'compare', name, b.name])), pick('Right', b, (name) => to(['-', 'compare', a.name, name])),
      modes.length > 1 ? segmented('Pairs', modes, mode, (key) => { mode = key; replaceQuery({ by: key }); refresh(); }) : null,
      a.layers.length > 1 ? select('Layer', [['', 'all'], ...a.layers.map((one) => [one.name, one.name])], layer, (key) => { layer = key; replaceQuery({ layer }); refresh(); }) : null,
      select('Sort', PAIR_SORTS.filter(([key]) => near || !key.startsWith('alike')), sort, (key) => { sort = key; replaceQuery({ sort }); refresh(); }), number),
    modes.length ? h('p', { class: 'aside' }, mode === 'alike' ? 'Left: every unit; right: the unit of the other network whose largest activations over the same probe images correlate most. “Alike” is that correlation; “r” is the held-out correlation of a unit with its own text.' : null,
      rows0(a, same).length ? ` ${count(agree)} of ${count(rows0(a, same).length)} units of the same layer and number have the same text.` : null)
      : h('p', null, 'These networks share neither probe images nor names of layers, so no unit of one belongs to a unit of the other.'),
    list.node);
  requestAnimationFrame(refresh);
  maskWatchers.add(list.repaint);
  return { node, title: `${a.name} and ${b.name}`, stop: list.stop };
}

const rows0 = (a, same) => Array.from({ length: a.units }, (_, u) => u).filter((u) => same[u] >= 0);

/** Of each unit of `a` the number of the one of `b` with the same layer and unit; -1: none. */
function sameUnits(a, left, b, right) {
  const places = new Map();
  for (let v = 0; v < b.units; v++) places.set(`${b.layers[right.layer[v]].name}\n${right.unit[v]}`, v);
  return Array.from({ length: a.units }, (_, u) => places.get(`${a.layers[left.layer[u]].name}\n${left.unit[u]}`) ?? -1);
}

/** Units of another network that act like one: under a unit that is opened with compare=. */
async function alikePart(net, other, u) {
  const key = run.pairs.some(([i, j]) => run.networks[i] === net && run.networks[j] === other) ? `pairs/${net.slug}--${other.slug}` : null;
  const [left, right] = await Promise.all([columns(net).whole, columns(other).whole]);
  const near = key ? (await load(key))[u] : [];
  const same = sameUnits(net, left, other, right)[u];
  const cards = near.map(([v, value]) => unitCard(other, right, v, { query: { compare: net.name }, aside: alikeChip(value) }));
  if (same >= 0 && !near.some(([v]) => v === same)) cards.push(unitCard(other, right, same, { query: { compare: net.name }, aside: h('span', { class: 'chip' }, 'same unit') }));
  return h('section', { class: 'block', 'aria-labelledby': 'other' }, h('h2', { id: 'other' }, 'In ', said(other.name)),
    cards.length ? h('ul', { class: 'cards near' }, cards) : h('p', { class: 'aside' }, 'No unit there acts alike on the same images.'));
}

/** Links that open the unit beside another network. */
function comparePart(net, layer, unit, query) {
  const others = run.networks.filter((one) => one !== net);
  if (!others.length) return h('span');
  return h('p', { class: 'actions block' }, 'Compare with ', others.map((one, i) => [i ? ', ' : null, h('a', { href: unitLink(net, layer, unit, { ...passed(query), compare: one.name }), 'aria-current': query.get('compare') === one.name ? 'true' : null }, said(one.name))]));
}
