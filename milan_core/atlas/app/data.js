// Chunks of data: scripts that call milan.add(key, value), loaded when they are needed.

const chunks = new Map(); // key -> promise of the value, oldest use first
const settled = new Map(); // key -> the functions that end a promise
const KEPT = 400; // chunks in memory, beside those of `pinned`
const pinned = new Set();

window.milan = {
  add(key, value) {
    const waiting = settled.get(key);
    if (waiting) waiting.resolve(value);
  },
};

/** The value of a chunk; `pin` keeps it for good. */
function load(key, pin = false) {
  if (pin) pinned.add(key);
  const known = chunks.get(key);
  if (known) {
    chunks.delete(key);
    chunks.set(key, known);
    return known;
  }
  const promise = new Promise((resolve, reject) => {
    settled.set(key, { resolve, reject });
    const script = document.createElement('script');
    script.src = 'data/' + key.split('/').map(encodeURIComponent).join('/') + '.js';
    script.onload = () => {
      script.remove();
      settled.delete(key);
      reject(new Error(`data/${key}.js holds no chunk of that name`)); // no effect once resolved
    };
    script.onerror = () => {
      script.remove();
      settled.delete(key);
      chunks.delete(key);
      reject(new Error(`The file data/${key}.js is missing or cannot be read. Copy the whole folder of the atlas.`));
    };
    document.head.append(script);
  });
  promise.catch(() => {});
  chunks.set(key, promise);
  forget(chunks, KEPT, (name) => pinned.has(name));
  return promise;
}

/** Drop the oldest entries of a map beyond `limit`. */
function forget(map, limit, keep = () => false) {
  if (map.size <= limit) return;
  for (const key of map.keys()) {
    if (map.size <= limit) break;
    if (!keep(key)) map.delete(key);
  }
}

/** Everything that the overview says: networks, experiments, sizes of chunks. */
let run = null;

const columnsOf = new Map(); // slug -> columns of the index, as far as they are loaded

/** Columns of a network's index. `filled` units are there; `whole` is a promise of all. */
function columns(net) {
  if (columnsOf.has(net.slug)) return columnsOf.get(net.slug);
  const table = { filled: 0, first: null, whole: null };
  const count = Math.ceil(net.units / run.sizes.index);
  const part = (number) =>
    load(`${net.slug}/index-${number}`, true).then((values) => {
      const start = number * run.sizes.index;
      for (const [name, list] of Object.entries(values)) {
        const column = (table[name] ||= new Array(net.units));
        for (let i = 0; i < list.length; i++) column[start + i] = list[i];
      }
      return start + values.unit.length;
    });
  table.first = part(0).then((end) => {
    table.filled = Math.max(table.filled, end);
    return table;
  });
  table.whole = table.first
    .then(() => Promise.all(Array.from({ length: count - 1 }, (_, i) => part(i + 1))))
    .then(() => {
      table.filled = net.units;
      return table;
    });
  table.first.catch(() => columnsOf.delete(net.slug));
  columnsOf.set(net.slug, table);
  return table;
}

/** One unit's entry of a chunk of blocks: `shown` (exemplars) or `more` (everything else). */
async function entry(net, kind, unit) {
  const block = Math.floor(unit / run.sizes.block);
  return (await load(`${net.slug}/${kind}-${block}`))[unit % run.sizes.block];
}

/** The entry of a chunk of the index's size: `words` or `lambda`. */
async function allOf(net, kind) {
  const count = Math.ceil(net.units / run.sizes.index);
  return Promise.all(Array.from({ length: count }, (_, i) => load(`${net.slug}/${kind}-${i}`, true)));
}

/** Facts of an image by its place on the sheets. */
async function imageAt(folder, place) {
  const chunk = await load(`images/${folder}/${Math.floor(place / run.sizes.images)}`);
  const at = place % run.sizes.images;
  return {
    place,
    id: chunk.id[at],
    name: chunk.name[at],
    label: chunk.label[at],
    things: chunk.things ? chunk.things[at] : [],
    fires: chunk.fires[at],
  };
}

const networkNamed = (name) => run.networks.find((net) => net.name === name);
const picturesOf = (folder) => run.pictures.find((one) => one.folder === folder);

/** The number of a unit of a layer; -1 where there is none. */
async function findUnit(net, layer, unit) {
  const table = await columns(net).whole;
  const at = net.layers.findIndex((one) => one.name === layer);
  for (let u = 0; u < net.units; u++) if (table.layer[u] === at && table.unit[u] === unit) return u;
  return -1;
}
