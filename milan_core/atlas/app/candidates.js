// Candidates of a unit, re-ranked live: log p(d|E) - lambda log p(d).

const LAMBDA = { low: 0, high: 1, step: 0.01 };

/** A slider of lambda with its number; `change` gets the value while it moves. */
function lambdaSlider(value, published, change, { label = 'λ' } = {}) {
  const shown = h('output', { class: 'number' }, num(value, 2));
  const input = h('input', {
    type: 'range', min: LAMBDA.low, max: LAMBDA.high, step: LAMBDA.step, value: String(value), 'aria-label': 'lambda, the weight of the prior',
    on: { input: () => { shown.value = num(Number(input.value), 2); change(Number(input.value)); } },
  });
  const reset = h('button', { type: 'button', class: 'quiet', title: `back to the λ of this run, ${published}`, on: { click: () => { input.value = published; shown.value = num(published, 2); change(published); } } }, `λ = ${published}`);
  return h('div', { class: 'lambda' }, h('label', null, h('span', null, label), input), shown, reset);
}

/** Places of the candidates with both log-probabilities, best first at this lambda. */
function ranked(data, lambda) {
  const score = (i) => data.logp[i] - lambda * data.prior[i];
  return data.text.map((_, i) => i)
    .filter((i) => data.logp[i] !== null && data.prior[i] !== null)
    .sort((a, b) => score(b) - score(a) || b[1] - a[1] || a - b)
    .map((i) => ({ i, score: score(i) }));
}

const FIRST = 8; // candidates that stand open

/** Says that λ does not change the heading, where the captioner's own ranking did not choose it. */
function chosenElsewhere(net) {
  if (!net.main || ['milan', 'description'].includes(net.main)) return null;
  return h('p', { class: 'aside ranks' }, `λ ranks the captioner's own candidates; the heading is chosen by ${describerLabel(net, net.main)}.`);
}

/** The part of a unit's page with all candidates. */
function candidatesPart(net, more, start) {
  const data = more.candidates;
  const body = h('tbody');
  const best = h('p', { class: 'best' });
  const columns = [['fit', 'fit', 'Correlation of the presence of the text, as two judges see it, with the unit\'s activation in the mining images'], ['wins', 'wins', 'Share of 100 bootstraps of the mining images in which “pool and verify” puts the text first']].filter(([key]) => data[key]);
  let open = false, lambda = start;
  const toggle = h('button', { type: 'button', class: 'quiet', on: { click: () => { open = !open; draw(); } } });
  function draw() {
    const list = ranked(data, lambda);
    const low = Math.min(...list.map((one) => one.score)), high = Math.max(...list.map((one) => one.score));
    clear(body);
    for (const { i, score } of list.slice(0, open ? list.length : FIRST)) {
      body.append(h('tr', null,
        h('td', { class: 'text' }, said(data.text[i]), data.text[i] === more.text ? h('span', { class: 'tag' }, 'published') : null),
        h('td', { class: 'n' }, h('span', { class: 'bar', style: { '--part': high > low ? (score - low) / (high - low) : 1 } }, num(score, 2))),
        h('td', { class: 'n' }, num(data.logp[i], 2)), h('td', { class: 'n' }, num(data.prior[i], 2)),
        columns.map(([key]) => h('td', { class: 'n' }, key === 'wins' ? percent(data[key][i]) : short(data[key][i])))));
    }
    toggle.hidden = list.length <= FIRST;
    toggle.textContent = open ? 'show fewer' : `show all ${list.length}`;
    clear(best);
    if (list.length) add(best, ['At λ = ', h('b', null, num(lambda, 2)), ': ', said(data.text[list[0].i], { class: 'winner' })]);
  }
  const slider = lambdaSlider(start, net.weight, (value) => {
    lambda = value;
    draw();
    replaceQuery({ lambda: value === net.weight ? '' : String(value) });
  });
  draw();
  const further = data.text.filter((_, i) => data.logp[i] === null).length;
  return h('section', { class: 'block', 'aria-labelledby': 'candidates' },
    h('h2', { id: 'candidates' }, 'Candidates'),
    h('p', { class: 'aside' }, `The captioner's texts by log p(d|E) − λ log p(d). Larger λ prefers texts that say more.`,
      further ? ` ${plural(further, 'text')} of others without these numbers ${further === 1 ? 'is' : 'are'} left out.` : null,
      columns.map(([, name, hint]) => ` ${name[0].toUpperCase()}${name.slice(1)}: ${hint[0].toLowerCase()}${hint.slice(1)}.`)),
    slider, best, chosenElsewhere(net),
    h('div', { class: 'scroll' }, h('table', { class: 'candidates' },
      h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Text'), h('th', { class: 'n', scope: 'col' }, 'score at λ'), h('th', { class: 'n', scope: 'col' }, 'log p(d|E)'), h('th', { class: 'n', scope: 'col' }, 'log p(d)'),
        columns.map(([, text, hint]) => h('th', { class: 'n', scope: 'col', title: hint }, text)))), body)),
    toggle);
}
