// Search in texts: whole words, beginnings of words, and words with one or two wrong letters where none is spelled so.

const WORDS = /[\p{L}\p{N}\p{Extended_Pictographic}]+/gu;
const wordsOf = (text) => (text || '').toLowerCase().match(WORDS) || [];
const STEP = 2000; // units that are indexed before the page may draw again

const KINDS = ['own', 'place', 'further']; // the description, layer and unit number, other texts
const FIRST_OF = { own: 2, place: 1, further: 0 }; // what lists first

/** An index over texts of several kinds; units are numbers. */
class SearchIndex {
  constructor() {
    this.vocabulary = new Map(); // word -> {own: [unit], place: [unit], further: [unit]}
  }

  take(unit, text, kind) {
    for (const word of new Set(wordsOf(text))) {
      let found = this.vocabulary.get(word);
      if (!found) this.vocabulary.set(word, (found = { own: [], place: [], further: [] }));
      found[kind].push(unit);
    }
  }

  /** unit -> {score, kind}: the units that have all asked words; `kind` is that of the worst word. */
  find(asked) {
    let result = null;
    for (const { weights } of asked) {
      const scores = new Map();
      for (const [word, weight] of weights) {
        const units = this.vocabulary.get(word);
        if (!units) continue;
        for (const kind of KINDS) for (const unit of units[kind]) {
          const score = kind === 'further' ? weight / 2 : weight, known = scores.get(unit);
          if (!known || FIRST_OF[known.kind] < FIRST_OF[kind] || (known.kind === kind && known.score < score)) scores.set(unit, { score, kind });
        }
      }
      if (result === null) result = scores;
      else for (const [unit, one] of result) {
        const other = scores.get(unit);
        if (!other) result.delete(unit);
        else result.set(unit, { score: one.score + other.score, kind: FIRST_OF[one.kind] < FIRST_OF[other.kind] ? one.kind : other.kind });
      }
    }
    return result || new Map();
  }
}

/** What a query asks of some indexes: of each word {word, weights, instead}; null without words. */
function askedOf(query, indexes) {
  const words = wordsOf(query);
  if (!words.length) return null;
  const known = new Set(indexes.flatMap((index) => [...index.vocabulary.keys()]));
  return words.map((word) => ({ word, ...meant(word, known) }));
}

/**
 * The known words that a word of a query means, with weights: itself, words that begin with it, its
 * singular; only where none of these is known, the nearest words (`instead`) and words that begin
 * with those. milan_core/atlas/lookup.py has the same rule.
 */
function meant(word, known) {
  const weights = new Map(spelled(word, known));
  if (weights.size) return { weights, instead: [] };
  const most = word.length >= 8 ? 2 : word.length >= 4 ? 1 : 0;
  let least = most + 1, instead = [];
  if (most) for (const one of known) {
    if (Math.abs(one.length - word.length) > most) continue;
    const wrong = distance(word, one, most);
    if (wrong > most || wrong > least) continue;
    if (wrong < least) [least, instead] = [wrong, []];
    instead.push(one);
  }
  for (const near of instead.sort()) for (const [one, likeness] of spelled(near, known)) {
    weights.set(one, Math.max(weights.get(one) || 0, (least === 1 ? 0.5 : 0.35) * likeness));
  }
  return { weights, instead };
}

function spelled(word, known) {
  const found = [], able = word.length >= 4 && word.endsWith('s');
  const singular = [word.slice(0, -1), word.endsWith('es') ? word.slice(0, -2) : word.slice(0, -1)];
  for (const one of known) {
    if (one === word) found.push([one, 1]);
    else if (one.startsWith(word)) found.push([one, word.length > 1 ? 0.6 + (0.3 * word.length) / one.length : 0.2]);
    else if (able && singular.includes(one)) found.push([one, 0.55]);
  }
  return found;
}

/** The known words with the fewest wrong letters, at most two of three, by the alphabet. */
function nearestWords(word, known, most = 5) {
  const limit = Math.floor((2 * word.length) / 3), found = [];
  for (const one of new Set(known)) if (/^\p{L}/u.test(one)) { const wrong = distance(word, one, limit); if (wrong <= limit) found.push([wrong, one]); }
  return found.sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1)).slice(0, most).map(([, one]) => one);
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
    const chunk = further[Math.floor(u / run.sizes.index)];
    index.take(u, `${table.text[u]} ${tendencyOf(table, u)}`, 'own');
    index.take(u, `${net.layers[table.layer[u]].name} ${table.unit[u]}`, 'place');
    index.take(u, chunk[u % run.sizes.index], 'further');
  }
  return index;
}
