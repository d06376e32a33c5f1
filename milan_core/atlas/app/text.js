// Words of the page that depend on a unit.

const SILENT = {
  dead: 'never active: 0 on every image',
  constant: 'the same value on every image',
  saturated: 'never above its level: its largest value is too frequent',
};
const STATUS = {
  described: 'reliable description',
  several: 'one of several texts',
  unreliable: 'no reliable description',
  dead: 'dead',
  constant: 'constant',
  saturated: 'saturated',
};

/** The description of a unit in lists, or why it has none. */
function shownText(table, u) {
  const status = table.status[u];
  if (table.says[u]) return said(table.text[u]);
  if (SILENT[status]) return h('span', { class: 'none' }, SILENT[status]);
  if (tendencyOf(table, u)) return h('span', { class: 'none' }, said(tendencyOf(table, u)));
  const guess = table.text[u] ? [' · best guess: ', said(table.text[u])] : null;
  return h('span', { class: 'none' }, 'no reliable description', guess);
}

/** What a unit weakly follows, in the words of a describer that grades; mostly empty. */
const tendencyOf = (table, u) => (table.tendency && table.tendency[u]) || '';

/** Whether the description names the known concept. */
function verdictMark(verdict) {
  if (verdict === 'names') return h('span', { class: 'verdict good', title: 'The description names the known concept' }, '✓ names it');
  if (verdict === 'misses') return h('span', { class: 'verdict bad', title: 'The description does not name the known concept' }, '✗ misses it');
  return null;
}

/** "conv.3 · 17", the layer in its own writing direction. */
const unitName = (layer, unit) => [said(layer), ' · ', String(unit)];

/** The judge whose score lists show. */
const mainJudge = (net) => net.judges.find((judge) => (net.describers.find((one) => one.id === net.main) || { mean: {} }).mean[judge] != null) || net.judges[0];

const describerLabel = (net, id) => (net.describers.find((one) => one.id === id) || { label: id }).label;

/** What the images of a network are, in a sentence. */
function networkSentence(net) {
  const level = net.quantile ? `the ${net.quantile} quantile of its own activations` : 'its level';
  const strong = net.mode === 'bottom' ? 'with its smallest activations' : 'that activate it most';
  return [
    `${plural(net.units, 'unit')} of ${plural(net.layers.length, 'layer')}. Each is shown by the ${net.k} images`,
    net.dataset === 'images' ? null : [' of ', said(net.dataset, { class: 'name' })], // a folder of one's own has no other name
    ` ${strong}; masks mark where it is above ${level}.`,
    net.encoder ? ' This network is also the encoder of the captioner.' : null,
    net.student ? ' It learned the features of the captioner\'s encoder.' : null,
  ];
}

/** Counts of statuses in a sentence; empty where none is known. */
function statusSentence(net) {
  const parts = [];
  const s = net.statuses;
  const reliable = (s.described || 0) + (s.several || 0);
  if (reliable || s.unreliable) parts.push(`${count(reliable)} have a reliable description, ${count(s.unreliable || 0)} have none.`);
  const silent = Object.keys(SILENT).filter((name) => s[name]).map((name) => `${count(s[name])} ${name}`);
  if (silent.length) parts.push(`Nothing to describe: ${silent.join(', ')}.`);
  return parts.join(' ');
}
