// The list of units: of one network, or of all.

const SORTS = [
  ['', 'layer, unit'], ['match', 'best match'], ['corr', 'held-out correlation, highest first'], ['corr-', 'held-out correlation, lowest first'],
  ['confidence', 'confidence, highest first'], ['coverage', 'concept coverage, highest first'], ['logp', 'log p(d|E), highest first'], ['importance', 'importance, highest first'], ['largest', 'largest activation, highest first'],
];
const SHOWN = [
  ['', 'all units'], ['described', 'with a description'], ['weak', 'a weak tendency'], ['reliable', 'reliable description'], ['several', 'one of several texts'], ['unreliable', 'no reliable description'],
  ['silent', 'nothing to describe'], ['names', 'names its concept'], ['misses', 'misses its concept'], ['open', 'no specific concept'],
];

const keeps = {
  described: (t, u) => t.says[u], reliable: (t, u) => t.status[u] === 'described' || t.status[u] === 'several', several: (t, u) => t.status[u] === 'several',
  unreliable: (t, u) => t.status[u] === 'unreliable', weak: (t, u) => tendencyOf(t, u) !== '', silent: (t, u) => t.status[u] in SILENT,
  names: (t, u) => t.verdict[u] === 'names', misses: (t, u) => t.verdict[u] === 'misses', open: (t, u) => t.verdict[u] === 'open',
};

const MOST = 2 ** 21; // units that a sort can tell apart
const bits = new Uint32Array(1), real = new Float32Array(bits.buffer);

/** A whole number below 2^32 that is larger for a larger number. */
function rank(value) {
  real[0] = value + 0; // -0 is 0
  return (bits[0] & 0x80000000 ? ~bits[0] : bits[0] | 0x80000000) >>> 0;
}

/** Units by falling value, then by number: one key each, since comparing by a function is slow. */
function sorted(units, value) {
  const keys = Float64Array.from(units, (u) => (0xffffffff - rank(value(u))) * MOST + u).sort();
  return Array.from(keys, (key) => key % MOST);
}

/** Numbers of the units that the filters keep, in the order asked for. `found`: unit -> {score, kind}. */
function chosen(net, filters, found, sort) {
  const table = columns(net), layer = filters.layer ? net.layers.findIndex((one) => one.name === filters.layer) : -1;
  const keep = keeps[filters.show], least = filters.least === '' ? null : Number(filters.least);
  const units = [];
  for (let u = 0; u < table.filled; u++) {
    if (filters.layer && table.layer[u] !== layer) continue; // a layer that is not there has no units
    if (keep && !keep(table, u)) continue;
    if (filters.concept && table.concept[u] !== filters.concept) continue;
    if (least !== null && !(table.corr[u] >= least)) continue;
    if (found && !found.has(u)) continue;
    units.push(u);
  }
  return !sort || sort === 'unit' ? units : sorted(units, sortValue(net, found, sort));
}

/** What an order goes by, larger first: a function of the unit; units without a number come last. */
function sortValue(net, found, sort) {
  const column = sort === 'match' ? null : columns(net)[sort.replace('-', '')] || [], sign = sort.endsWith('-') ? -1 : 1;
  return (u) => { const v = column ? column[u] : found ? found.get(u).score + 100 * FIRST_OF[found.get(u).kind] : 0; return v === null || v === undefined ? -Infinity : sign * v; };
}

/** The best text of every unit at a lambda, from the stretches of `lambda` chunks. */
function textAt(chunkList, lambda, u) {
  const size = run.sizes.index, chunk = chunkList[Math.floor(u / size)], row = chunk.units[u % size];
  let text = null;
  for (let i = 0; i < row.length; i += 2) if (row[i] <= lambda) text = chunk.texts[row[i + 1]];
  return text;
}

async function unitsView(nets, query) {
  const one = nets.length === 1 ? nets[0] : null;
  const filters = { layer: query.get('layer') || '', show: query.get('show') || '', concept: query.get('concept') || '', least: query.get('least') || '' };
  let text = query.get('q') || '', sort = query.get('sort') || '';
  let lambda = query.get('lambda') === null ? null : Number(query.get('lambda')), stretches = null;
  let rows = [], asked = null; // [net, unit, hit of the search]; the words of the search
  await Promise.all(nets.map((net) => columns(net).first));

  const list = windowed('Units', () => rows.length, (i) => {
    const [net, u, hit] = rows[i], table = columns(net);
    const atLambda = lambda !== null && stretches ? textAt(stretches, lambda, u) : null;
    const shown = atLambda === null ? null : [said(atLambda), atLambda === table.text[u] ? null : h('span', { class: 'changed' }, `λ ${num(lambda, 2)}`)];
    const why = hit && hit.kind === 'further' ? reasonLine(net, table, u, asked) : null;
    return unitCard(net, table, u, { text: shown, why, withNetwork: !one, query: { lambda: lambda === null ? '' : String(lambda) } });
  });
  const number = h('output', { class: 'number', id: 'number' });
  const because = h('span'), sentence = h('p', { class: 'aside', id: 'matches', hidden: true });
  const nothing = h('p', { class: 'empty', hidden: true }, because, ' ', h('button', { type: 'button', on: { click: () => { location.hash = to(one ? [one.name] : ['-', 'units']); } } }, 'Show all'));
  const searching = () => wordsOf(text).length > 0;
  const order = () => sort || (searching() ? 'match' : '');

  async function refresh() {
    const indexes = searching() ? await Promise.all(nets.map(searchIndex)) : [];
    const started = performance.now();
    asked = askedOf(text, indexes);
    rows = [];
    let hits = 0;
    nets.forEach((net, i) => {
      const found = asked ? indexes[i].find(asked) : null;
      hits += found ? found.size : 0;
      const value = order() && order() !== 'unit' ? sortValue(net, found, order()) : () => 0;
      for (const u of chosen(net, filters, found, order())) rows.push([net, u, found ? found.get(u) : null, value(u)]);
    });
    if (!one) rows.sort((a, b) => (a[3] === b[3] ? 0 : b[3] - a[3])); // among all networks
    number.value = plural(rows.length, 'unit');
    sentence.hidden = !asked || !rows.length;
    sentence.textContent = sentence.hidden ? '' : foundSentence(asked, rows);
    nothing.hidden = rows.length > 0;
    because.textContent = rows.length ? '' : nothingSentence(asked, indexes, hits);
    sorting.querySelector('select').value = order() === 'unit' ? '' : order();
    list.show();
    list.node.dataset.took = (performance.now() - started).toFixed(1);
    announce(sentence.textContent || because.textContent || number.value);
  }
  let timer = 0;
  const changed = (name) => (value) => {
    filters[name] = value;
    replaceQuery({ [name]: value });
    refresh();
  };
  const search = h('input', { type: 'search', id: 'search', value: text, placeholder: 'search texts, concepts, layers   ( / )', autocomplete: 'off', spellcheck: 'false', 'aria-label': 'Search units', on: { input: () => {
    clearTimeout(timer);
    timer = setTimeout(() => { text = search.value; replaceQuery({ q: text }); refresh(); }, 60);
  } } });
  search.addEventListener('keydown', (event) => { if (event.key === 'ArrowDown' && rows.length) { event.preventDefault(); list.focusOn(0); } });
  const usable = (key, needs) => nets.some(needs) ? key : null;
  const has = { corr: (net) => net.judges.length, confidence: (net) => net.has.confidence, coverage: (net) => net.judged, logp: (net) => net.has.logp, importance: (net) => net.has.importance };
  const sorts = SORTS.filter(([key]) => { const needs = has[key.replace('-', '')]; return !needs || nets.some(needs); });
  const decided = nets.some((net) => net.statuses.described || net.statuses.unreliable || net.statuses.several);
  const shows = SHOWN.filter(([key]) => (['names', 'misses', 'open'].includes(key) ? nets.some((net) => net.judged) : ['reliable', 'several', 'unreliable'].includes(key) ? decided : key === 'weak' ? nets.some((net) => net.grades) : true));
  const concepts = h('span'), masks = segmented('Masks', MASKS, maskMode, setMasks);
  // Beside a search `unit` stands for the order of layers, which is '' elsewhere.
  const sorting = select('Sort', sorts, order(), (value) => { sort = value || (searching() ? 'unit' : ''); replaceQuery({ sort }); refresh(); });
  const tools = h('form', { class: 'tools', role: 'search', 'aria-label': 'Filter units', on: { submit: (event) => event.preventDefault() } },
    h('label', { class: 'field grow' }, search),
    one && one.layers.length > 1 ? select('Layer', [['', 'all'], ...one.layers.map((layer) => [layer.name, layer.name])], filters.layer, (value) => { changed('layer')(value); paintLayers(); }) : null,
    select('Show', shows, filters.show, changed('show')), concepts,
    usable('corr', has.corr) ? h('label', { class: 'field' }, h('span', null, 'r at least'), h('input', { type: 'number', min: '-1', max: '1', step: '0.05', value: filters.least, 'aria-label': 'smallest held-out correlation', on: { input: (event) => changed('least')(event.target.value) } })) : null,
    sorting, number);
  Promise.all(nets.map((net) => columns(net).whole)).then((tables) => {
    const counts = new Map();
    for (const table of tables) for (const concept of table.concept || []) if (concept) counts.set(concept, (counts.get(concept) || 0) + 1);
    if (counts.size > 1) concepts.replaceWith(select('Concept', [['', 'any'], ...[...counts].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([name, n]) => [name, `${name} (${n})`])], filters.concept, changed('concept')));
    refresh();
  }, (error) => announce(error.message));

  const layers = one ? layerPanel(one, filters, (value) => { filters.layer = filters.layer === value ? '' : value; replaceQuery({ layer: filters.layer }); const box = tools.querySelector('select'); if (box && one.layers.length > 1) box.value = filters.layer; paintLayers(); refresh(); }) : null;
  const paintLayers = () => layers && layers.querySelectorAll('button').forEach((button) => button.setAttribute('aria-pressed', String(button.dataset.layer === filters.layer)));
  paintLayers();
  const lambdaPart = one && one.candidates ? lambdaTool() : null;
  function lambdaTool() {
    const slider = lambdaSlider(lambda ?? one.weight, one.weight, async (value) => {
      lambda = value === one.weight ? null : value;
      replaceQuery({ lambda: lambda === null ? '' : String(lambda) });
      if (!stretches) stretches = await allOf(one, 'lambda');
      list.show();
    }, { label: 'λ for all texts' });
    slider.title = 'Shows for every unit the captioner\'s text that is best at this λ; search and scores stay those of the published texts';
    return slider;
  }
  if (lambda !== null && one && one.candidates) allOf(one, 'lambda').then((value) => { stretches = value; list.show(); });
  const exportButton = h('button', { type: 'button', class: 'quiet', on: { click: () => exportRows(rows, one) } }, 'Download this list (CSV)');
  const others = one ? run.networks.filter((net) => net !== one && run.pairs.some(([a, b]) => run.networks[a] === one && run.networks[b] === net)) : [];
  const node = h('div', { class: 'network' },
    h('header', { class: 'head' }, h('h1', { tabindex: '-1' }, one ? said(one.name) : 'All units'),
      one ? h('p', { class: 'lead' }, networkSentence(one), ' ', statusSentence(one), one.sentence ? [' ', said(one.sentence)] : null) : h('p', { class: 'lead' }, `${plural(run.counts.units, 'unit')} of ${plural(nets.length, 'network')}.`),
      h('p', { class: 'actions' }, exportButton, others.length ? ['  Compare with ', others.map((net, i) => [i ? ', ' : null, h('a', { href: to(['-', 'compare', one.name, net.name]) }, said(net.name))])] : null)),
    tools, h('div', { class: 'row second' }, lambdaPart || h('span'), masks), h('div', { class: one && layers ? 'with-layers' : null }, layers, h('div', { class: 'found' }, sentence, list.node, nothing)));
  requestAnimationFrame(refresh);
  maskWatchers.add(() => { list.repaint(); masks.show(maskMode); });
  return { node, title: one ? one.name : 'All units', stop: list.stop };
}

/** Layers with their counts, as buttons; on small screens the select serves. */
function layerPanel(net, filters, choose) {
  if (net.layers.length < 2) return null;
  const scored = net.layers.some((layer) => layer.corr !== null);
  return h('aside', { class: 'layers', 'aria-label': 'Layers' }, h('ul', null, net.layers.map((layer) => h('li', null,
    h('button', { type: 'button', 'data-layer': layer.name, 'aria-pressed': 'false', title: layerHint(layer), on: { click: () => choose(layer.name) } },
      said(layer.name), h('span', { class: 'aside' }, count(layer.units)),
      h('i', { style: { '--part': Math.max(0, scored ? layer.corr || 0 : layer.says / layer.units) } }))))),
  h('p', { class: 'aside' }, scored ? 'Bars: mean held-out correlation.' : 'Bars: share with a description.'));
}

const layerHint = (layer) => [plural(layer.units, 'unit'), layer.specific ? `${layer.named} of ${layer.specific} concepts named` : null, layer.corr === null ? null : `mean held-out correlation ${short(layer.corr)}`].filter(Boolean).join(', ');

/** The list as a table. */
function exportRows(rows, one) {
  const names = ['text', 'status', 'verdict', 'concept', 'confidence', 'corr', 'corrLow', 'corrHigh', 'auprc', 'logp', 'prior', 'score'];
  const titles = ['network', 'layer', 'unit', 'description', 'status', 'verdict', 'concept', 'confidence', 'correlation', 'correlation_low', 'correlation_high', 'auprc', 'logp', 'logp_lm', 'score'];
  const lines = rows.map(([net, u]) => { const table = columns(net); return [net.name, net.layers[table.layer[u]].name, table.unit[u], ...names.map((name) => table[name][u])]; });
  download(`${one ? one.slug : 'units'}.csv`, csv([titles, ...lines]));
}
