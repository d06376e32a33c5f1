// The address: #/network/layer/unit?lambda=.4&compare=other. Pages of no network begin with `-`.

/** {path: [text], query: URLSearchParams} of the address. */
function address() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const decode = (part) => { try { return decodeURIComponent(part); } catch { return part; } };
  return { path: path.split('/').filter(Boolean).map(decode), query: new URLSearchParams(query || '') };
}

/** An address: parts of the path, and parameters of which empty ones are left out. */
function to(path, query = {}) {
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') given.set(key, value);
  }
  const text = given.toString();
  return '#/' + path.map((part) => encodeURIComponent(part)).join('/') + (text ? `?${text}` : '');
}

const unitLink = (net, layer, unit, query) => to([net.name, layer, String(unit)], query);

/** Change parameters of the address without a step in the history. */
function replaceQuery(changes) {
  const { path, query } = address();
  const next = Object.fromEntries(query);
  for (const [key, value] of Object.entries(changes)) next[key] = value;
  history.replaceState(null, '', to(path, next));
}

/** A setting of the reader's that stays, where the browser keeps any. */
const settings = {
  get(key, fallback) {
    try { return localStorage.getItem(`milan.atlas.${key}`) ?? fallback; } catch { return fallback; }
  },
  set(key, value) {
    try { localStorage.setItem(`milan.atlas.${key}`, value); } catch { /* not kept */ }
  },
};

const MASKS = [
  ['outline', 'Outline', 'The border of where the unit is above its level'],
  ['dim', 'Dim', 'What lies outside is dark'],
  ['heat', 'Heat', 'Activation over the image, relative to the unit\'s largest'],
  ['off', 'Off', 'The plain images'],
];
let maskMode = settings.get('masks', 'outline');
const maskWatchers = new Set();

/** Show masks in another way, everywhere. */
function setMasks(mode) {
  maskMode = mode;
  settings.set('masks', mode);
  for (const watch of maskWatchers) watch();
}

function applyTheme(theme) {
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  settings.set('theme', theme);
}
