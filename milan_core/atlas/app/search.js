// Search in texts: whole words, beginnings of words, and words with one or two wrong letters.

const WORDS = /[\p{L}\p{N}\p{Extended_Pictographic}]+/gu;
const wordsOf = (text) => (text || '').toLowerCase().match(WORDS) || [];
const STEP = 2000; // units that are indexed before the page may draw again

/** An index over texts of two weights; units are numbers. */
class SearchIndex {
  constructor() {
    this.vocabulary = new Map(); // word -> {own: [unit], further: [unit]}
  }

  take(unit, text, kind) {
    for (const word of new Set(wordsOf(text))) {
      let found = this.vocabulary.get(word);
      if (!found) this.vocabulary.set(word, (found = { own: [], further: [] }));
      found[kind].push(unit);
    }
  }

  /** Map of unit -> score for a query; null for a query without words. All words must be found. */
  find(query) {
    const words = wordsOf(query);
    if (!words.length) return null;
    let result = null;
    for (const word of words) {
      const scores = new Map();
      for (const [known, units] of this.vocabulary) {
        const weight = likeness(word, known);
        if (weight === 0) continue;
        for (const unit of units.own) if ((scores.get(unit) || 0) < weight) scores.set(unit, weight);
        for (const unit of units.further) if ((scores.get(unit) || 0) < weight / 2) scores.set(unit, weight / 2);
      }
      if (result === null) result = scores;
      else for (const [unit, score] of result) {
        if (scores.has(unit)) result.set(unit, score + scores.get(unit));
        else result.delete(unit);
      }
    }
    return result;
  }
}

/** How well a word of the query fits a known one: 1 the same, 0 not at all. */
function likeness(word, known) {
  if (word === known) return 1;
  if (known.startsWith(word)) return word.length > 1 ? 0.6 + (0.3 * word.length) / known.length : 0.2;
  const allowed = word.length >= 8 ? 2 : word.length >= 4 ? 1 : 0;
  if (!allowed || Math.abs(word.length - known.length) > allowed) return 0;
  const wrong = distance(word, known, allowed);
  return wrong > allowed ? 0 : wrong === 1 ? 0.5 : 0.35;
}

/** Letters to add, drop, change or swap until two words are the same; above `most` it stops. */
function distance(a, b, most) {
  let before = null, above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let value = Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + same);
      if (before && i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) value = Math.min(value, before[j - 2] + 1);
      row.push(value);
      if (value < least) least = value;
    }
    if (least > most) return most + 1;
    before = above;
    above = row;
  }
  return above[b.length];
}

const searchIndexes = new Map();

/** The index of a network: its texts, concepts and layers, and what others said of its units. */
function searchIndex(net) {
  let promise = searchIndexes.get(net.slug);
  if (!promise) {
    promise = makeIndex(net);
    searchIndexes.set(net.slug, promise);
    promise.catch(() => searchIndexes.delete(net.slug));
  }
  return promise;
}

async function makeIndex(net) {
  const [table, further] = await Promise.all([columns(net).whole, allOf(net, 'words')]);
  const index = new SearchIndex();
  for (let u = 0; u < net.units; u++) {
    if (u % STEP === STEP - 1) await new Promise((resume) => setTimeout(resume));
    index.take(u, `${table.text[u]} ${table.unit[u]}`, 'own');
    const chunk = further[Math.floor(u / run.sizes.index)];
    index.take(u, `${chunk[u % run.sizes.index]} ${net.layers[table.layer[u]].name}`, 'further');
  }
  return index;
}
