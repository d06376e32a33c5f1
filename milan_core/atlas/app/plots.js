// Small drawings as SVG.

/** A dot with its interval on an axis from `low` to `high`; null where there is no value. */
function intervalPlot(value, from, end, low, high, width = 150) {
  if (value === null || value === undefined) return null;
  const x = (v) => ((Math.min(high, Math.max(low, v)) - low) / (high - low)) * (width - 12) + 6;
  const zero = low < 0 && high > 0 ? h('line', { x1: x(0), x2: x(0), y1: 1, y2: 17, class: 'axis' }) : null;
  const bar = from === null || from === undefined ? null : h('line', { x1: x(from), x2: x(end), y1: 9, y2: 9, class: 'whisker' });
  return h('svg', { viewBox: `0 0 ${width} 18`, width, height: 18, class: 'interval', 'aria-hidden': 'true' },
    h('line', { x1: 6, x2: width - 6, y1: 9, y2: 9, class: 'base' }), zero, bar, h('circle', { cx: x(value), cy: 9, r: 4, class: 'dot' }));
}

/** Bars of a unit's values: half octaves, heights logarithmic, its level marked. */
function histogramPlot(data, width = 520, height = 110) {
  const n = data.counts.length, step = width / n, floor = height - 18;
  const tallest = Math.log1p(Math.max(...data.counts));
  const bars = data.counts.map((value, i) => {
    if (!value) return null;
    const tall = Math.max(1.5, (floor - 4) * Math.log1p(value) / tallest);
    const [low, high] = edges(data, data.first + i);
    return h('rect', { x: i * step + 0.5, y: floor - tall, width: Math.max(1, step - 1.5), height: tall, rx: 1 },
      h('title', null, `${brief(low)} to ${brief(high)}: ${plural(value, 'value')}`));
  });
  const at = data.level === null || data.level === undefined ? null : (data.level - data.first) * step;
  const level = at === null ? null : [
    h('line', { x1: at, x2: at, y1: 0, y2: floor, class: 'level' }),
    h('text', { x: at > width - 60 ? at - 5 : at + 5, y: 10, 'text-anchor': at > width - 60 ? 'end' : 'start', class: 'tick' }, 'level'),
  ];
  const ticks = [0, Math.floor(n / 2), n - 1].filter((i, k, all) => all.indexOf(i) === k).map((i) => {
    const [low] = edges(data, data.first + i);
    return h('text', { x: i === 0 ? 0 : i === n - 1 ? width : i * step + step / 2, y: height - 4, 'text-anchor': i === 0 ? 'start' : i === n - 1 ? 'end' : 'middle', class: 'tick' }, brief(low));
  });
  const words = `Distribution of all values in ${count(data.images)} images; bars grow by half octaves, heights are logarithmic; ${percent(data.zeros)} of the values are 0.`;
  return h('svg', { viewBox: `0 0 ${width} ${height}`, class: 'histogram', role: 'img', 'aria-label': words }, h('title', null, words), bars, level, ticks);
}

/** Smallest and largest value of a bar. */
function edges(data, position) {
  const value = (p) => Math.sign(p) * data.smallest * 2 ** (Math.abs(p) / 2);
  return position >= 0 ? [position === 0 ? data.smallest : value(position), data.smallest * 2 ** ((position + 1) / 2)] : [value(position), position === -1 ? -data.smallest : value(position + 1)];
}

/** A share as a bar behind its text. */
function shareBar(part, text) {
  return h('span', { class: 'share', style: { '--part': part } }, text);
}
