// The page of one unit.

async function unitView(net, layerName, unit, query) {
  const u = await findUnit(net, layerName, unit);
  if (u < 0) return notFound(`${net.name} has no unit ${unit} of layer ${layerName}.`);
  const table = columns(net);
  const [shown, more] = await Promise.all([entry(net, 'shown', u), entry(net, 'more', u)]);
  const layer = net.layers[table.layer[u]];
  const linkTo = (other) => unitLink(net, net.layers[table.layer[other]].name, table.unit[other], passed(query));
  const lambda = Math.min(LAMBDA.high, Math.max(LAMBDA.low, Number(query.get('lambda') ?? net.weight) || 0));
  const step = (other, text, key) => (other >= 0 && other < net.units
    ? h('a', { class: 'step', href: linkTo(other), rel: key, title: `${text} (${key === 'next' ? 'j' : 'k'})` }, key === 'next' ? '→' : '←')
    : h('span', { class: 'step off', 'aria-hidden': 'true' }, key === 'next' ? '→' : '←'));
  const compare = query.get('compare');
  const node = h('article', { class: 'unit' },
    h('nav', { class: 'trail', 'aria-label': 'Place' },
      h('a', { href: to([net.name]) }, said(net.name)), ' / ', h('a', { href: to([net.name], { layer: layer.name }) }, said(layer.name)), ' / ', h('span', null, `unit ${unit}`),
      h('span', { class: 'steps' }, step(u - 1, 'Unit before', 'prev'), step(u + 1, 'Next unit', 'next'))),
    h('div', { class: 'halves' },
      h('div', { class: 'sees' }, exemplarsPart(net, layer, shown), bandsPart(net, shown), histogramPart(more)),
      h('div', { class: 'says' }, headPart(net, table, u, more), saidPart(net, more), conceptPart(more, table, u))),
    more.candidates ? candidatesPart(net, more, lambda) : null,
    nearPart(net, table, more, linkTo));
  if (compare && networkNamed(compare)) node.append(await alikePart(net, networkNamed(compare), u));
  node.append(comparePart(net, layerName, unit, query));
  return { node, title: `${layerName} ${unit} · ${net.name}`, keys: { j: u + 1 < net.units && linkTo(u + 1), k: u > 0 && linkTo(u - 1) }, repaint: () => node.querySelectorAll('canvas').forEach((one) => one.paint && one.paint()) };
}

/** Parameters that follow from unit to unit. */
const passed = (query) => ({ lambda: query.get('lambda'), compare: query.get('compare') });

function headPart(net, table, u, more) {
  const status = table.status[u], reliable = status === 'described' || status === 'several';
  const facts = [];
  if (status in STATUS) facts.push(h('span', { class: `state ${reliable ? 'good' : 'weak'}` }, STATUS[status]));
  if (table.confidence[u] !== null) facts.push(h('span', { title: 'Estimated probability that the description is right' }, `confidence ${percent(table.confidence[u])}`));
  if (more.grade) facts.push(h('span', { title: 'A: shown; B: a tendency; C: no reliable description' }, `grade ${more.grade[0]}`), more.grade[1] ? h('span', null, said(more.grade[1])) : null);
  const guess = !table.says[u] && more.text ? h('p', { class: 'guess' }, h('span', { class: 'aside' }, 'Best guess: '), said(more.text)) : null;
  return h('header', { class: 'head' },
    h('p', { class: 'where' }, said(net.name), ' · ', unitName(net.layers[table.layer[u]].name, table.unit[u])),
    h('h1', { class: table.says[u] ? 'description' : 'description none', tabindex: '-1' }, said(more.shown)),
    guess, facts.length ? h('p', { class: 'facts' }, facts) : null,
    more.likely && more.likely.length > 1 ? h('p', { class: 'aside' }, 'Chosen on other images: ', more.likely.map((text, i) => [i ? ' · ' : null, said(text)])) : null);
}

function exemplarsPart(net, layer, shown) {
  const tiles = tilesOf(shown);
  const masks = segmented('Masks', MASKS.filter(([key]) => key !== 'heat' || layer.heat), maskMode, setMasks);
  const list = h('ol', { class: 'exemplars' }, tiles.map((tile, i) => {
    if (tile.place < 0) return null;
    const label = `Exemplar ${i + 1}, activation ${brief(shown.a[i])}; opens the image`;
    return h('li', null, h('a', { href: to(['-', 'images', net.pictures, String(shown.n[i])]), 'aria-label': label },
      strip(net.pictures, [tile], layer.heat, { label: `Exemplar ${i + 1}`, size: 128 }), h('span', { class: 'value', 'aria-hidden': 'true' }, brief(shown.a[i]))));
  }));
  const watch = () => masks.show(maskMode);
  maskWatchers.add(watch);
  return h('section', { 'aria-labelledby': 'exemplars' }, h('div', { class: 'row' }, h('h2', { id: 'exemplars' }, `Strongest ${tiles.filter((one) => one.place >= 0).length} images`), masks), list,
    h('p', { class: 'aside' }, `The number is the unit's largest activation in the image; its level is ${brief(shown.l)}.`));
}

function bandsPart(net, shown) {
  if (!shown.b) return null;
  return h('section', { 'aria-labelledby': 'bands' }, h('h2', { id: 'bands' }, 'Images by rank of activation'),
    h('ol', { class: 'bands' }, shown.b.map(([places, values], i) => {
      const range = `${Math.round(100 * i / shown.b.length)}–${Math.round(100 * (i + 1) / shown.b.length)} %`;
      return h('li', null, h('span', { class: 'number' }, range), strip(net.pictures, places.map((place) => ({ place })), null, { label: `Images of the band ${range}`, size: 64, fixed: 'off' }),
        h('span', { class: 'aside' }, values.length ? (values.length > 1 ? `${brief(Math.max(...values))} to ${brief(Math.min(...values))}` : brief(values[0])) : 'no image'));
    })),
    h('p', { class: 'aside' }, 'Sampled images ranked by the unit, strongest band first; a few of each, evenly drawn, without masks.'));
}

function histogramPart(more) {
  if (!more.histogram) return null;
  return h('section', { 'aria-labelledby': 'values' }, h('h2', { id: 'values' }, 'All values'), histogramPlot(more.histogram),
    h('p', { class: 'aside' }, `Over ${count(more.histogram.images)} images; heights are logarithmic; ${percent(more.histogram.zeros)} of the values are 0.`));
}

/** Every describer's text with its held-out score and interval. */
function saidPart(net, more) {
  if (!more.said) return null;
  const scored = net.judges.filter((judge, j) => Object.values(more.said).some((one) => one[1 + j][1]));
  let judge = scored.includes(mainJudge(net)) ? mainJudge(net) : scored[0];
  const place = h('div');
  function draw() {
    const j = net.judges.indexOf(judge);
    const rows = net.describers.filter((one) => more.said[one.id]).map((one) => ({ ...one, text: more.said[one.id][0], status: j < 0 ? '' : more.said[one.id][1 + j][0], scores: j < 0 ? null : more.said[one.id][1 + j][1] }));
    const values = rows.flatMap((row) => (row.scores ? row.scores.slice(0, 3) : [])).filter((value) => value !== null);
    const low = Math.min(0, ...values), high = Math.max(0.2, ...values);
    const line = (row) => h('tr', { class: row.id === net.main ? 'main' : null },
      h('th', { scope: 'row' }, row.label, row.id === 'linear' ? h('span', { class: 'aside' }, ' weights of presence') : null),
      h('td', { class: 'text' }, row.text ? said(row.text) : h('span', { class: 'none' }, 'no text')),
      j < 0 ? null : [h('td', { class: 'plot' }, row.scores ? intervalPlot(row.scores[0], row.scores[1], row.scores[2], low, high) : h('span', { class: 'aside' }, row.status === 'scored' ? '' : row.status)),
        h('td', { class: 'n' }, row.scores ? [short(row.scores[0]), h('span', { class: 'ends' }, ` [${short(row.scores[1])}, ${short(row.scores[2])}]`)] : '–'),
        h('td', { class: 'n' }, row.scores ? short(row.scores[3]) : '–')]);
    const head = (first) => h('thead', null, h('tr', null, h('th', { scope: 'col' }, first), h('th', { scope: 'col' }, 'Text'), j < 0 ? null : [h('th', { scope: 'col', colspan: 2, title: 'Correlation of the activation with the judged presence of the text in held-out images' }, 'Held-out correlation [95 %]'), h('th', { class: 'n', scope: 'col', title: 'Lift of the average precision: 0 is chance, 1 is perfect' }, 'AUPRC')]));
    const many = (kind, first) => h('div', { class: 'scroll' }, h('table', { class: 'said' }, head(first), h('tbody', null, rows.filter((row) => kind(row.kind)).map(line))));
    const trivial = rows.filter((row) => row.kind !== 'describer');
    add(clear(place), [many((kind) => kind === 'describer', 'Describer'),
      rows.some((row) => row.id === 'linear' && row.text) ? h('p', { class: 'aside' }, 'Linear explanation, weights of presence: the change of the activation, in its standard deviations, where the presence of a word goes from 0 to 1.') : null,
      trivial.length ? h('details', null, h('summary', null, 'Baselines that look at no unit, and the known concept'), many((kind) => kind !== 'describer', 'Text of')) : null]);
  }
  draw();
  const choice = scored.length > 1 ? segmented('Judge', scored.map((one) => [one, one, `Scores by the judge ${one}`]), judge, (value) => { judge = value; draw(); }) : null;
  return h('section', { 'aria-labelledby': 'said' }, h('div', { class: 'row' }, h('h2', { id: 'said' }, 'What is said of it'), choice ? h('span', { class: 'judge' }, 'Judge', choice) : null), place);
}

function conceptPart(more, table, u) {
  const rows = [];
  const [concept, tier, coverage, support, specific] = more.truth;
  if (concept) {
    rows.push(['Known concept', specific ? [said(concept), h('span', { class: 'aside' }, ` ${tier}, ${percent(coverage)} of the masks, ${plural(support, 'image')} `), verdictMark(table.verdict[u])]
      : h('span', { class: 'aside' }, 'none specific', concept !== 'none' && concept !== 'nothing' ? [' (at best ', said(concept), `, ${percent(coverage)})`] : null)]);
  }
  if (more.annotations) rows.push(['Annotations', h('ul', { class: 'notes' }, more.annotations.map(([who, text]) => h('li', { title: `annotator ${who}` }, said(text))))]);
  if (more.labels) rows.push([h('span', { title: 'The unit responds to several things; each of these activates it without the others' }, 'Several labels'), h('ul', { class: 'notes' }, more.labels.map((text) => h('li', null, said(text))))]);
  if (more.linear) rows.push(['Linear, standardized', [said(more.linear), h('span', { class: 'aside' }, ' Words whose weighted sum follows the whole range of activations: the change of the activation, in its standard deviations, for one standard deviation of a word\'s presence.')]]);
  if (more.within) rows.push(['MILAN of this network', more.within === 'train' ? 'was trained on this unit' : 'was not trained on this unit']);
  if (table.importance[u] !== null) rows.push(['Without it', [`accuracy changes by ${table.importance[u] < 0 ? '+' : ''}${num(-100 * table.importance[u], 2)} points`, h('span', { class: 'aside' }, ' (the unit alone set to zero)')]]);
  if (table.logp[u] !== null) rows.push(['Log-probabilities', `log p(d|E) ${num(table.logp[u])}, log p(d) ${num(table.prior[u])}`]);
  if (!rows.length) return null;
  return h('section', { 'aria-labelledby': 'known' }, h('h2', { id: 'known' }, 'What is known of it'), h('dl', null, rows.map(([name, value]) => [h('dt', null, name), h('dd', null, value)])));
}

function nearPart(net, table, more, linkTo) {
  const row = (id, title, near, hint, number) => (near && near.length
    ? h('section', { class: 'block', 'aria-labelledby': id }, h('h2', { id }, title), h('p', { class: 'aside' }, hint),
      h('ul', { class: 'cards near' }, near.map(([v, value]) => unitCard(net, table, v, { aside: h('span', { class: 'chip' }, number(value)) }))))
    : null);
  return [row('alike', 'Units that act alike', more.near, 'Highest correlation of the largest activation over the same probe images, in any layer.', (value) => `alike ${short(value)}`),
    row('words', 'Units with similar texts', more.nearText, 'Shared words of the description, rare ones counting more.', (value) => `${Math.round(100 * value)} % alike`)];
}
