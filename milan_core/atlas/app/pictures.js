// Exemplars on canvas: tiles of sheets, masks from runs of bits, heat from letters.

const SIDE = 32; // of a mask
const LETTERS = Array.from({ length: 93 }, (_, i) => String.fromCharCode(33 + i)).filter((c) => !'"\\<&\''.includes(c)).join('');
const VALUE = Object.fromEntries([...LETTERS].map((letter, i) => [letter, i]));
const BASE = LETTERS.length;

const sheets = new Map();

/** A promise of a sheet of images. */
function sheet(folder, number) {
  const key = `${folder}/${number}`;
  let promise = sheets.get(key);
  if (!promise) {
    const image = new Image();
    image.src = `pictures/${encodeURIComponent(folder)}/${number}.webp`;
    promise = image.decode().then(() => image, () => null);
    sheets.set(key, promise);
    forget(sheets, 600);
  }
  return promise;
}

/** Bits of a mask: Uint8Array of SIDE * SIDE. */
function maskBits(letters) {
  const bits = new Uint8Array(SIDE * SIDE);
  let place = 0, inside = 0, more = 0;
  for (const letter of letters) {
    if (letter === '~') { more += BASE; continue; }
    const length = more + VALUE[letter];
    more = 0;
    if (inside) bits.fill(1, place, place + length);
    place += length;
    inside = 1 - inside;
  }
  return bits;
}

/** Levels of a map, 0 to 1: Float32Array of rows * columns. */
function heatValues(letters, [rows, columns]) {
  const values = new Float32Array(rows * columns);
  let place = 0, zeros = false;
  for (const letter of letters) {
    if (letter === '~') { zeros = true; continue; }
    if (zeros) { place += VALUE[letter]; zeros = false; } else values[place++] = VALUE[letter] / (BASE - 1);
  }
  return values;
}

const contours = new Map();

/** The border of a mask as a path over SIDE x SIDE, smoothed by less than a cell. */
function contour(letters) {
  let path = contours.get(letters);
  if (path) return path;
  const bits = maskBits(letters), n = SIDE;
  const at = (x, y) => bits[Math.min(n - 1, Math.max(0, y)) * n + Math.min(n - 1, Math.max(0, x))];
  const field = new Float32Array(n * n);
  for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) {
    field[y * n + x] = (4 * at(x, y) + at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1)) / 8 - 0.5;
  }
  path = new Path2D();
  const cut = (a, b) => a / (a - b);
  for (let y = 0; y + 1 < n; y++) for (let x = 0; x + 1 < n; x++) {
    const a = field[y * n + x], b = field[y * n + x + 1], c = field[(y + 1) * n + x + 1], d = field[(y + 1) * n + x];
    const kind = (a > 0) | ((b > 0) << 1) | ((c > 0) << 2) | ((d > 0) << 3);
    if (kind === 0 || kind === 15) continue;
    const X = x + 0.5, Y = y + 0.5;
    const top = [X + cut(a, b), Y], right = [X + 1, Y + cut(b, c)], bottom = [X + cut(d, c), Y + 1], left = [X, Y + cut(a, d)];
    const line = (p, q) => { path.moveTo(p[0], p[1]); path.lineTo(q[0], q[1]); };
    if (kind === 1 || kind === 14) line(left, top);
    else if (kind === 2 || kind === 13) line(top, right);
    else if (kind === 4 || kind === 11) line(right, bottom);
    else if (kind === 8 || kind === 7) line(bottom, left);
    else if (kind === 3 || kind === 12) line(left, right);
    else if (kind === 6 || kind === 9) line(top, bottom);
    else if (kind === 5) { line(left, bottom); line(top, right); } else { line(left, top); line(right, bottom); }
  }
  contours.set(letters, path);
  forget(contours, 3000);
  return path;
}

/** A small canvas of colored cells. */
function cells(width, height, color) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d'), data = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) data.data.set(color(i), 4 * i);
  context.putImageData(data, 0, 0);
  return canvas;
}

const GLOW = [[30, 10, 60], [110, 25, 110], [190, 50, 90], [240, 105, 50], [252, 185, 60], [252, 250, 175]];
function glow(value) {
  const at = Math.min(0.9999, Math.max(0, value)) * (GLOW.length - 1), low = Math.floor(at), part = at - low;
  return GLOW[low].map((one, i) => one + (GLOW[low + 1][i] - one) * part);
}

/** Draw what a mask mode adds over an image at (x, y) of w x h pixels. */
function drawMask(context, x, y, w, h, mask, heat, shape, mode) {
  if (mode === 'off') return;
  context.save();
  context.beginPath();
  context.rect(x, y, w, h);
  context.clip();
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'high';
  if (mode === 'heat' && shape && heat !== undefined) {
    context.fillStyle = 'rgba(20, 16, 30, .45)';
    context.fillRect(x, y, w, h);
    const values = heatValues(heat, shape);
    const drawn = cells(shape[1], shape[0], (i) => [...glow(values[i]), 225 * Math.sqrt(values[i])]);
    context.drawImage(drawn, x, y, w, h);
  } else {
    if (mode === 'dim') {
      const bits = maskBits(mask || '');
      context.drawImage(cells(SIDE, SIDE, (i) => [8, 10, 14, bits[i] ? 0 : 190]), x, y, w, h);
    }
    if (mask) {
      context.translate(x, y);
      context.scale(w / SIDE, h / SIDE);
      context.lineCap = context.lineJoin = 'round';
      const pixel = SIDE / w * (window.devicePixelRatio || 1), path = contour(mask);
      const thin = Math.min(1.6, Math.max(1, w / (window.devicePixelRatio || 1) / 80));
      context.lineWidth = 2.2 * thin * pixel;
      context.strokeStyle = 'rgba(0, 0, 0, .6)';
      context.stroke(path);
      context.lineWidth = thin * pixel;
      context.strokeStyle = '#fff';
      context.stroke(path);
    }
  }
  context.restore();
}

/**
 * A canvas with some exemplars in a row. `tiles` are {place, mask, heat}; it is drawn when its
 * sheets are there, and anew when the mask mode changes.
 */
function strip(folder, tiles, shape, { label, size = 64, gap = 2, fixed = null } = {}) {
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  const facts = picturesOf(folder), high = Math.round(size * facts.height / facts.width);
  const wide = tiles.length * size + (tiles.length - 1) * gap;
  const canvas = h('canvas', { role: 'img', 'aria-label': label, width: Math.round(wide * ratio), height: Math.round(high * ratio) });
  canvas.style.aspectRatio = `${wide} / ${high}`;
  const drawn = new Array(tiles.length).fill(null);
  canvas.paint = () => {
    const context = canvas.getContext('2d');
    tiles.forEach((tile, i) => { if (drawn[i]) paintTile(context, drawn[i], facts, tile, i, { size, gap, high, ratio, shape, mode: fixed || maskMode }); });
  };
  tiles.forEach((tile, i) => {
    if (tile.place < 0) return;
    sheet(folder, Math.floor(tile.place / (facts.across * facts.across))).then((image) => {
      drawn[i] = image || 'missing';
      const context = canvas.getContext('2d');
      paintTile(context, drawn[i], facts, tile, i, { size, gap, high, ratio, shape, mode: fixed || maskMode });
    });
  });
  return canvas;
}

function paintTile(context, image, facts, tile, i, { size, gap, high, ratio, shape, mode }) {
  const x = Math.round(i * (size + gap) * ratio), w = Math.round(size * ratio), h2 = Math.round(high * ratio);
  context.fillStyle = '#8a8f98';
  context.fillRect(x, 0, w, h2);
  if (image === 'missing') return;
  const at = tile.place % (facts.across * facts.across);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, (at % facts.across) * facts.width, Math.floor(at / facts.across) * facts.height, facts.width, facts.height, x, 0, w, h2);
  drawMask(context, x, 0, w, h2, tile.mask, tile.heat, shape, mode);
}

/** Tiles of a unit's exemplars from its entry of `shown`. */
function tilesOf(shown, from = 0, end = undefined) {
  return shown.i.slice(from, end).map((place, i) => ({ place, mask: shown.m[from + i], heat: shown.h && shown.h[from + i] }));
}
