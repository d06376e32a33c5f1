// The first page: networks, units drawn at random, experiments, how to read, the run.

function overviewView() {
  const node = h('div', { class: 'overview' },
    h('h1', { tabindex: '-1' }, said(run.title)),
    run.notice ? h('p', { class: 'notice' }, run.notice) : null,
    globalSearch(),
    networksPart(), picksPart(), experimentsPart(), readingPart(), runPart());
  return { node, title: '', repaint: () => node.querySelectorAll('canvas').forEach((one) => one.paint && one.paint()) };
}

function globalSearch() {
  const input = h('input', { type: 'search', id: 'search', placeholder: 'search all units: dog, red, blocks.3 …', autocomplete: 'off', spellcheck: 'false', 'aria-label': 'Search all units' });
  return h('form', { class: 'big-search', role: 'search', on: { submit: (event) => { event.preventDefault(); location.hash = to(['-', 'units'], { q: input.value }); } } }, input, h('button', { type: 'submit' }, 'Search'));
}

function networksPart() {
  const judged = run.networks.some((net) => net.judged), scored = run.networks.some((net) => net.judges.length);
  const total = (net, name) => net.layers.reduce((sum, layer) => sum + layer[name], 0);
  const mean = (net) => { const one = net.describers.find((d) => d.id === net.main); return one ? one.mean[mainJudge(net)] : null; };
  return h('section', { 'aria-labelledby': 'networks' }, h('h2', { id: 'networks' }, 'Networks'),
    h('div', { class: 'tiles' }, run.networks.map((net) => h('a', { class: 'tile', href: to([net.name]) },
      h('strong', null, said(net.name)), h('span', { class: 'aside' }, `${plural(net.units, 'unit')}, ${plural(net.layers.length, 'layer')}${net.encoder ? ', the image encoder of the captioner' : net.student ? ', trained on the features of the captioner\'s encoder' : ''}`),
      h('dl', null,
        net.accuracy.length ? [h('dt', null, 'its test score (', said(net.accuracy[0][0]), ')'), h('dd', null, percent(net.accuracy[0][1]))] : null,
        judged && total(net, 'specific') ? [h('dt', null, `names the known concept (${plural(total(net, 'specific'), 'unit')} with one)`), h('dd', null, percent(total(net, 'named') / total(net, 'specific')))] : null,
        scored && mean(net) != null ? [h('dt', { title: `mean over units, by ${mainJudge(net)}` }, 'held-out correlation'), h('dd', null, short(mean(net)))] : null,
        reliable(net) === null ? null : [h('dt', null, 'reliable description'), h('dd', null, `${count(reliable(net))} of ${count(net.units)}`)],
        net.grades ? [['A', 'described'], ['B', 'weak tendency'], ['C', 'no reliable description']].map(([grade, text]) => [h('dt', { title: `grade ${grade}` }, text), h('dd', null, `${count(net.grades[grade] || 0)} of ${count(net.units)}`)]) : null,
        [h('dt', null, 'different texts'), h('dd', null, count(net.distinct))]),
      layerBars(net)))));
}

/** The number of units with a reliable description; null where nobody decided. */
function reliable(net) {
  const { described = 0, several = 0, unreliable = 0 } = net.statuses;
  return described + several + unreliable ? described + several : null;
}

/** A bar for every layer: the share of known concepts that are named, or of units with a description. */
function layerBars(net) {
  if (net.layers.length < 2 || net.layers.length > 60) return null;
  const named = net.layers.some((layer) => layer.specific);
  const value = (layer) => (!named ? layer.says / layer.units : layer.specific ? layer.named / layer.specific : 0);
  const text = named ? 'share of known concepts named, by layer' : 'share of units with a description, by layer';
  return [h('span', { class: 'bars', role: 'img', 'aria-label': text }, net.layers.map((layer) => h('i', { title: `${layer.name}: ${named ? `${layer.named} of ${layer.specific} concepts named` : `${layer.says} of ${layer.units} described`}`, style: { '--part': value(layer) } }))),
    h('span', { class: 'aside of-bars' }, `Bars: ${text}.`)];
}

/** Units drawn with a fixed seed when the atlas was built, not chosen by how well they came out. */
function picksPart() {
  const place = h('ul', { class: 'cards near' });
  load('picks').then((picks) => picks.forEach(({ network, unit, row, shown }) => {
    const table = Object.fromEntries(Object.entries(row).map(([name, value]) => [name, { [unit]: value }]));
    place.append(unitCard(run.networks[network], table, unit, { withNetwork: true, known: shown }));
  }), () => {});
  return h('section', { 'aria-labelledby': 'picks' }, h('h2', { id: 'picks' }, 'Some units'), h('p', { class: 'aside' }, 'Drawn with a fixed seed, not chosen by how well they came out.'), place);
}

function experimentsPart() {
  if (!run.experiments.length) return null;
  return h('section', { 'aria-labelledby': 'experiments' }, h('h2', { id: 'experiments' }, 'Experiments'),
    h('div', { class: 'list' }, run.experiments.map((one) => h('article', null, h('h3', null, h('a', { href: to(['-', 'experiments', one.name]) }, one.title)), h('p', null, coded(one.paragraph))))));
}

function readingPart() {
  const items = ['Exemplars show only the top of a unit\'s activations; the histogram of its values says what lies below.'];
  if (run.networks.some((net) => net.judges.length)) items.push('Held-out correlation: how well a text predicts the unit\'s largest activation in images that no describer saw, as a judge sees the text in them. Dots have 95 % intervals over images. 0 is chance, and a network with random weights does not score 0: compare describers, not units with a threshold.');
  if (run.networks.some((net) => net.judged)) items.push('Known concepts and annotations come from the ground truth of composed images, written by programs, never by people. “Names it”: whole words, plurals and synonyms allowed, where one concept covers enough of the masks.');
  if (run.sets.length) items.push(`The units of ${run.sets.join(', ')} are described from annotation sets; nobody knows their concepts.`);
  return h('section', { 'aria-labelledby': 'reading' }, h('h2', { id: 'reading' }, 'How to read this'), h('ul', { class: 'reading' }, items.map((text) => h('li', null, text)),
    h('li', null, 'Keys: ', h('kbd', null, '/'), ' search, ', h('kbd', null, 'j'), ' and ', h('kbd', null, 'k'), ' next and previous unit, arrows among cards, ', h('kbd', null, 'm'), ' masks, ', h('kbd', null, 't'), ' light or dark, ', h('kbd', null, '?'), ' this list.')));
}

function runPart() {
  const steps = run.run.steps || [];
  const time = (s) => (s < 60 ? `${num(s, 1)} s` : s < 3600 ? `${Math.round(s / 60)} min` : `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`);
  if (!steps.length && !run.assets.length) return null;
  return h('section', { 'aria-labelledby': 'run' }, h('h2', { id: 'run' }, 'The run'),
    steps.length ? h('details', null, h('summary', null, 'Time and memory of its steps'), h('div', { class: 'scroll' }, h('table', null,
      h('thead', null, h('tr', null, ['Step', 'Jobs', 'Wall time', 'CPU time', 'Peak memory'].map((text, i) => h('th', { scope: 'col', class: i ? 'n' : null }, text)))),
      h('tbody', null, steps.map((step) => h('tr', null, h('td', null, step.name), h('td', { class: 'n' }, step.jobs), h('td', { class: 'n' }, time(step.wall)), h('td', { class: 'n' }, time(step.cpu)), h('td', { class: 'n' }, `${Math.round(step.memory)} MB`))))))) : null,
    run.run.versions && run.run.versions.length ? h('p', { class: 'aside' }, run.run.seeds ? `Seeds: ${run.run.seeds}. ` : null, 'Versions: ', run.run.versions.map(([name, version]) => `${name} ${version}`).join(', ')) : null,
    run.assets.length ? h('details', null, h('summary', null, 'Material of others'), h('div', { class: 'scroll' }, h('table', null,
      h('thead', null, h('tr', null, ['Asset', 'Package', 'License', 'Credit'].map((text) => h('th', { scope: 'col' }, text)))),
      h('tbody', null, run.assets.map((one) => h('tr', null, h('td', null, said(one.name)), h('td', null, said(`${one.package} ${one.version}`)), h('td', null, said(one.licence || '')), h('td', null, said(one.credit || '')))))))) : null);
}
