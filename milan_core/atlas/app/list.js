// A list of units of which only the cards near the window exist.

const CARD = 174; // height of a card with its gap, pixels
const NARROWEST = 316;
const SPARE = 2; // rows above and below the window

/**
 * A windowed grid. `items()` gives the number of units, `cardAt(i)` the card of one; `show()` draws
 * anew after either has changed.
 */
function windowed(label, length, cardAt, narrowest = NARROWEST) {
  const grid = h('ol', { class: 'cards', 'aria-label': label });
  const box = h('div', { class: 'window' }, grid);
  const cards = new Map();
  let across = 1, frame = 0;

  function place() {
    frame = 0;
    const total = length();
    const width = box.clientWidth;
    if (!width) return;
    across = Math.max(1, Math.floor((width + 14) / (narrowest + 14)));
    const rows = Math.ceil(total / across);
    box.style.height = `${rows * CARD}px`;
    const above = -box.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(above / CARD) - SPARE) * across;
    const end = Math.min(total, Math.ceil((above + window.innerHeight) / CARD + SPARE) * across);
    grid.style.gridTemplateColumns = `repeat(${across}, minmax(0, 1fr))`;
    grid.style.transform = `translateY(${Math.floor(first / across) * CARD}px)`;
    const focused = document.activeElement && document.activeElement.closest && document.activeElement.closest('.card');
    for (const [i, card] of cards) if (i < first || i >= end) { card.remove(); cards.delete(i); }
    let before = null;
    for (let i = end - 1; i >= first; i--) {
      let card = cards.get(i);
      if (!card) {
        card = cardAt(i);
        card.dataset.at = i;
        card.setAttribute('aria-setsize', total);
        card.setAttribute('aria-posinset', i + 1);
        cards.set(i, card);
        grid.insertBefore(card, before);
      }
      before = card;
    }
    if (focused && !focused.isConnected) box.closest('main').focus({ preventScroll: true });
  }

  const soon = () => { if (!frame) frame = requestAnimationFrame(place); };
  const watcher = new ResizeObserver(soon);
  watcher.observe(box);
  window.addEventListener('scroll', soon, { passive: true });

  /** Move the focus by cards, scrolling as far as needed. */
  box.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
    const card = event.target.closest('.card');
    if (!step || !card || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = Number(card.dataset.at) + step;
    if (next < 0 || next >= length()) return;
    event.preventDefault();
    focusOn(next);
  });
  function focusOn(i) {
    const top = box.getBoundingClientRect().top + Math.floor(i / across) * CARD, under = 130;
    if (top < under) window.scrollBy(0, top - under);
    else if (top + CARD > window.innerHeight) window.scrollBy(0, top + CARD - window.innerHeight + 20);
    place();
    const link = cards.get(i) && cards.get(i).querySelector('a');
    if (link) link.focus({ preventScroll: true });
  }

  return {
    node: box,
    focusOn,
    /** Draw all cards anew. */
    show() {
      for (const card of cards.values()) card.remove();
      cards.clear();
      place();
    },
    /** Let cards draw their masks anew. */
    repaint() {
      for (const canvas of grid.querySelectorAll('canvas')) canvas.paint();
    },
    stop() {
      watcher.disconnect();
      window.removeEventListener('scroll', soon);
      if (frame) cancelAnimationFrame(frame);
    },
  };
}

const LISTED = 5; // exemplars of a card

/** The card of a unit in lists. `text` takes the place of its description, `query` goes into the link. */
function unitCard(net, table, u, { text = null, aside = null, withNetwork = false, query = {}, tag = 'li', known = null, why = null } = {}) {
  const layer = net.layers[table.layer[u]];
  const unit = table.unit[u];
  const pictures = h('span', { class: 'strip' });
  const place = h(tag, { class: why ? 'card explained' : 'card' },
    h('a', { href: unitLink(net, layer.name, unit, query), class: 'open' },
      pictures,
      h('span', { class: 'text' }, text || shownText(table, u)), why,
      h('span', { class: 'meta' },
        h('span', { class: 'where' }, withNetwork ? [said(net.name), ' · '] : null, unitName(layer.name, unit)),
        aside || [scoreChip(net, table, u), verdictMark(table.verdict[u])])));
  // Texts stand before pictures are asked for; cards that have left by then ask for none.
  const shownLater = () => new Promise((go) => setTimeout(go)).then(() => (place.isConnected ? entry(net, 'shown', u) : null));
  (known ? Promise.resolve(known) : shownLater()).then((shown) => {
    if (!shown) return;
    const label = `${Math.min(LISTED, shown.i.length)} images that activate the unit most`;
    pictures.append(strip(net.pictures, tilesOf(shown, 0, LISTED), layer.heat, { label, size: 72, gap: 2 }));
  }, () => pictures.append(h('span', { class: 'none' }, 'pictures missing')));
  return place;
}

/** How much two units act alike, which is no score of a text. */
const alikeChip = (value) => h('span', { class: 'chip', title: 'Correlation of the two units\' largest activations on the same images' }, `alike ${short(value)}`);

/** The held-out score of a unit in lists, or what it was chosen by. */
function scoreChip(net, table, u) {
  const value = table.corr[u];
  if (value !== null && value !== undefined) {
    const title = `Held-out correlation of the unit's activation with the text, by ${mainJudge(net)}: ${num(value, 3)} [${num(table.corrLow[u], 3)}, ${num(table.corrHigh[u], 3)}]`;
    return h('span', { class: 'chip', title }, h('i', { style: { '--part': Math.max(0, Math.min(1, value)) } }), `r ${short(value)}`);
  }
  return table.logp[u] === null || table.logp[u] === undefined ? null : h('span', { class: 'chip', title: 'log p(d|E)' }, `log p ${num(table.logp[u], 1)}`);
}
