// One image: the units that fire in it, with their masks.

async function imageView(folder, number) {
  const pictures = picturesOf(folder);
  if (!pictures) return notFound(`There are no images called ${folder}.`);
  const place = (await load(`images/${folder}/ids`)).indexOf(number);
  if (place < 0) return notFound(`Image ${number} of ${folder} is no exemplar of any unit here.`);
  const image = await imageAt(folder, place);
  const fires = [];
  for (let i = 0; i < image.fires.length; i += 3) fires.push({ net: run.networks[image.fires[i]], u: image.fires[i + 1], rank: image.fires[i + 2] });
  await Promise.all([...new Set(fires.map((one) => one.net))].map((net) => columns(net).whole));
  fires.sort((a, b) => a.rank - b.rank);
  const big = h('div', { class: 'big' });
  const show = (tile, shape, label) => clear(big).append(strip(folder, [tile], shape, { label, size: Math.min(384, Math.max(256, pictures.width * 4)) }));
  const plain = () => show({ place }, null, `Image ${number}, ${image.label || image.name}`);
  plain();
  const layerPick = new Set(fires.map((one) => one.net.name));
  let net = '';
  const list = windowed('Units that fire here', () => kept().length, (i) => fireCard(kept()[i]));
  const kept = () => (net ? fires.filter((one) => one.net.name === net) : fires);
  function fireCard({ net, u, rank }) {
    const table = columns(net), layer = net.layers[table.layer[u]];
    const pictures = h('span', { class: 'strip one' });
    let tile = null;
    const card = h('li', { class: 'card fire', on: { mouseenter: () => tile && show(tile, layer.heat, 'The image with the mask of the unit'), mouseleave: plain, focusin: () => tile && show(tile, layer.heat, 'The image with the mask of the unit') } },
      h('a', { class: 'open', href: unitLink(net, layer.name, table.unit[u]) }, pictures,
        h('span', { class: 'text' }, shownText(table, u)), h('span', { class: 'meta' }, h('span', { class: 'where' }, said(net.name), ' · ', unitName(layer.name, table.unit[u])), h('span', { class: 'chip' }, `exemplar ${rank + 1}`))));
    entry(net, 'shown', u).then((shown) => { tile = tilesOf(shown)[rank]; pictures.append(strip(folder, [tile], layer.heat, { label: 'The image with the mask of the unit', size: 88 })); }, () => {});
    return card;
  }
  const things = image.things.length ? h('p', null, 'Shows: ', image.things.map((thing, i) => [i ? ', ' : null, said(thing)])) : null;
  const masks = segmented('Masks', MASKS, maskMode, setMasks);
  maskWatchers.add(() => { masks.show(maskMode); list.repaint(); });
  const node = h('div', { class: 'image' },
    h('nav', { class: 'trail', 'aria-label': 'Place' }, 'images of ', said(pictures.name)),
    h('div', { class: 'halves image-head' }, big, h('div', null, h('h1', { tabindex: '-1' }, `Image ${number}`),
      image.label ? h('p', null, 'Label: ', said(image.label)) : null, things,
      image.name ? h('p', { class: 'aside' }, said(image.name)) : null,
      h('p', null, `${plural(fires.length, 'unit')} ${fires.length === 1 ? 'has' : 'have'} it among their strongest images.`), h('div', { class: 'choices' }, masks,
      layerPick.size > 1 ? select('Network', [['', 'all'], ...[...layerPick].map((name) => [name, name])], '', (value) => { net = value; list.show(); }) : null))),
    h('section', { 'aria-labelledby': 'firing' }, h('h2', { id: 'firing' }, 'Units that fire here'), list.node));
  requestAnimationFrame(() => list.show());
  return { node, title: `Image ${number}`, stop: list.stop };
}
