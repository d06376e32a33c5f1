// Describe a search: counts of units, words that replace unknown ones, and why a unit is listed.

/** The sentence above the list: how many units by which texts; `rows` are [net, unit, hit]. */
function foundSentence(asked, rows) {
  const taken = asked.some((one) => one.instead.length);
  const meaning = asked.map((one) => (one.instead.length ? one.instead.slice(0, 3).join(' or ') : one.word)).join(' ');
  const typed = taken ? ` (you typed ${asked.map((one) => one.word).join(' ')})` : '';
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
  for (const [, , hit] of rows) counts[hit.kind]++;
  const names = { own: 'in the description', place: 'by layer or unit number', further: 'in other describers\' texts or annotations' };
  const parts = KINDS.filter((kind) => counts[kind]).map((kind) => `${count(counts[kind])} ${names[kind]}`);
  return `${plural(rows.length, 'unit')} for ${meaning}${typed}: ${parts.join(', ')}.`;
}

/** Why a list is empty: a word that nothing has, words that no unit has together, or the filters. */
function nothingSentence(asked, indexes, hits) {
  if (!asked) return 'No unit passes the filters.';
  const known = indexes.flatMap((index) => [...index.vocabulary.keys()]);
  const lost = asked.filter((one) => !one.weights.size).map(({ word }) => {
    const near = nearestWords(word, known);
    return `Nothing matches \u2018${word}\u2019.${near.length ? ` Nearest words: ${near.join(', ')}.` : ''}`;
  });
  if (lost.length) return lost.join(' ');
  if (hits) return `${plural(hits, 'unit')} ${hits === 1 ? 'matches' : 'match'} the search, but the filters leave none.`;
  return `No unit has all of these words: ${asked.map((one) => one.instead[0] || one.word).join(', ')}.`;
}

/** The text that holds what the description of a unit does not, with who said it; null: none. */
function reasonOf(net, more, own, asked) {
  const shown = new Set(wordsOf(own));
  const missing = asked.filter(({ weights }) => ![...shown].some((word) => weights.has(word)));
  const texts = [
    ...net.describers.filter((one) => more.said && more.said[one.id]).map((one) => [one.label, more.said[one.id][0]]),
    ['known concept', more.truth ? more.truth[0] : ''],
    ...(more.annotations || []).map(([who, text]) => [`annotator ${who}`, text]),
    ...(more.likely || []).map((text) => ['chosen on other images', text]),
  ];
  const fit = (text) => missing.reduce((sum, { weights }) => sum + Math.max(0, ...wordsOf(text).map((word) => weights.get(word) || 0)), 0);
  let best = null, most = 0;
  for (const [who, text] of texts) if (fit(text) > most) { most = fit(text); best = [who, text]; }
  return best && [best[0], best[1].split('; ').filter((part) => fit(part) > 0).join('; ')]; // of a list what holds the words
}

/** A line of a card that says why the unit is listed; empty until its details are there. */
function reasonLine(net, table, u, asked) {
  const line = h('span', { class: 'why' });
  entry(net, 'more', u).then((more) => {
    const best = reasonOf(net, more, `${table.text[u]} ${tendencyOf(table, u)}`, asked);
    if (best) { add(line, [`${best[0]}: `, said(best[1])]); line.title = `listed by this text: ${best[0]}: ${best[1]}`; }
  }, () => {});
  return line;
}
