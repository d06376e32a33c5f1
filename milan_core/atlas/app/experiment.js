// The page of an experiment: its sentences, tables and figures, all of them to download.

async function experimentView(name) {
  const one = run.experiments.find((item) => item.name === name);
  if (!one) return notFound(`There is no experiment ${name} in this atlas.`);
  const data = await load(`experiments/${one.slug}`);
  const node = h('article', { class: 'experiment' }, h('h1', { tabindex: '-1' }, data.title), run.notice ? h('p', { class: 'notice' }, run.notice) : null,
    data.paragraphs.map((text) => h('p', null, coded(text))), data.items.map(itemPart));
  return { node, title: data.title };
}

const fileLink = (file, text) => h('a', { href: file, download: file.split('/').pop(), class: 'file' }, text);

function itemPart(item) {
  if (item.kind === 'link') return h('p', null, h('a', { href: item.files.page }, item.caption));
  if (item.kind === 'figure') {
    return h('figure', null, h('img', { src: item.file, alt: item.caption, loading: 'lazy' }), h('figcaption', null, coded(item.caption), ' ', fileLink(item.file, 'SVG')));
  }
  const table = sortable(item);
  const caption = [coded(item.caption), ' ', fileLink(item.file, 'CSV')];
  return item.folded ? h('details', null, h('summary', null, coded(item.caption)), h('p', { class: 'aside' }, fileLink(item.file, 'CSV')), table) : h('section', { class: 'item' }, h('p', { class: 'aside' }, caption), table);
}

/** A table whose columns sort it. */
function sortable(item) {
  const body = h('tbody'), order = item.rows.map((_, i) => i);
  let by = -1, down = true;
  const value = (i) => { const [text] = item.rows[i][by]; const n = parseFloat(text.replace('−', '-').replace('< ', '')); return Number.isNaN(n) ? null : text.startsWith('<') ? n / 2 : n; };
  const draw = () => {
    clear(body);
    for (const i of order) body.append(h('tr', null, item.rows[i].map(([text, ends], c) => h('td', { class: item.columns[c].number ? 'n' : null }, item.columns[c].number ? text : said(text), ends ? h('span', { class: 'ends' }, ` ${ends}`) : null))));
  };
  const heads = item.columns.map((column, c) => h('th', { scope: 'col', class: column.number ? 'n' : null, 'aria-sort': 'none' }, h('button', { type: 'button', class: 'sort', on: { click: () => {
    down = by === c ? !down : item.columns[c].number;
    by = c;
    heads.forEach((head, k) => head.setAttribute('aria-sort', k === c ? (down ? 'descending' : 'ascending') : 'none'));
    order.sort((i, j) => {
      const [x, y] = item.columns[c].number ? [value(i), value(j)] : [item.rows[i][c][0], item.rows[j][c][0]];
      if (x === null || y === null) return (x === null) - (y === null) || i - j; // without a number: last either way
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1) || i - j;
    });
    draw();
  } } }, column.title)));
  draw();
  return h('div', { class: 'scroll' }, h('table', null, h('thead', null, h('tr', null, heads)), body));
}
