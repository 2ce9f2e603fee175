"use strict";
// The figures and the table of a sweep: what dadao_sim.reports.sweep computed is picked here, none is
// computed. page.js gives what all figures have in common, and draws them.
const sweepFigures = (kit) => {
  const { choice, clear, dashOf, data, element, escaped, layoutOf, least, legendOf, MANY, most,
    narrow, redrawn, seen, show, tick, title, token, WIDTH } = kit;
  const NOT_TRIED = -1, NOT_THERE = -2, MOST_PANELS = 12, MOST_ROWS = 25;

  // A statistic of a cost by row: Infinity was not reached, NaN not tried, undefined is not there.
  const meant = new Map([[null, Infinity], [NOT_TRIED, NaN], [NOT_THERE, undefined]]);
  function columnOf(sweep, accuracy, quantity, which) {
    const found = sweep.tables[accuracy].columns[quantity];
    if (!("of" in found)) return found[which].map(v => meant.has(v) ? meant.get(v) : v);
    return columnOf(sweep, accuracy, found.of, which)
      .map(v => v === undefined ? v : v * found.times);
  }

  const called = sweep => sweep.keys.map(one =>
    sweep.keys.filter(other => other.short === one.short).length > 1 ? one.name : one.short);

  const isAt = (keys, fixed) => ({ at }) => keys.every((k, n) => !fixed.has(k) || fixed.get(k) === at[n]);

  // The fits to all lines of a view, or of what the cost is a multiple of.
  function fitsOf(sweep, view, accuracy, quantity) {
    const column = sweep.tables[accuracy].columns[quantity];
    const fits = view.fits[accuracy]["of" in column ? column.of : quantity], times = column.times || 1;
    return fits.map(fit => fit && { exponent: fit[0], low: fit[1] ?? -Infinity,
      high: fit[2] ?? Infinity, factor: times * fit[3] });
  }

  // The facets and their lines, by algorithm, where `fixed` (key -> value) is so.
  function facetsOf(sweep, key, quantity, accuracy, fixed = new Map()) {
    const view = sweep.against.find(one => one.key === key), fits = fitsOf(sweep, view, accuracy, quantity);
    const columns = ["median", "p10", "p90"].map(of => [of, columnOf(sweep, accuracy, quantity, of)]);
    const { values } = sweep.keys[key], at = sweep.rows.at[key];
    let count = 0;
    const facets = view.facets.map(facet => {
      const lines = sweep.algorithms.map(() => undefined);
      facet.lines.forEach(([algorithm, rows]) => {
        const there = rows.filter(row => columns[0][1][row] !== undefined), fit = fits[count++];
        if (!there.length) return;
        lines[algorithm] = { x: there.map(row => values[at[row]]), fit,
          ...Object.fromEntries(columns.map(([of, column]) => [of, there.map(row => column[row])])) };
      });
      return { at: facet.at, lines };
    }).filter(facet => isAt(view.open, fixed)(facet) && facet.lines.some(Boolean));
    // Titles have what tells them apart.
    const apart = view.open.map((_, n) => n).filter(n => new Set(facets.map(one => one.at[n])).size > 1);
    return facets.map(({ at: places, lines }) => ({ lines, keys: apart.map(n => view.open[n]),
      values: apart.map(n => places[n]),
      title: apart.map(n => { const k = view.open[n];
        return `${called(sweep)[k]} = ${sweep.keys[k].values[places[n]]}`; }).join(", ") }));
  }

  const PREFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
  function written(value, quantity) {
    if (value === undefined) return "-";
    if (Number.isNaN(value)) return "not tried";
    if (value === Infinity) return "not reached";
    if (quantity === "bytes") {
      const found = PREFIXES.find(([size]) => value >= size && value < 1e15);
      return found ? `${Number((value / found[0]).toPrecision(3))} ${found[1]}B`
        : `${value < 1e15 ? Math.round(value) : value.toExponential(2)} B`;
    }
    if (value >= 1e9) return value.toExponential(3);
    if (value >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en-US");
    return String(Number(value.toPrecision(3)));
  }
  const SHORT = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];
  function brief(value) {
    const two = Number(value.toPrecision(2));
    const found = SHORT.find(([size]) => two >= size && two < 1e12);
    return found ? `${Number((two / found[0]).toPrecision(2))}${found[1]}`
      : two >= 1e12 ? two.toExponential(1) : String(two);
  }

  const power = value => value < 1e-4 ? value.toExponential().replace(/e-(\d)$/, "e-0$1") : String(value);

  // ---- pieces of all -------------------------------------------------------------------------

  const numbered = list => list.map((text, k) => [k, text]);
  const costChoice = (sweep, state, changed) => [
    choice("cost", numbered(sweep.quantities.map(one => one.label)), state.quantity,
      value => { state.quantity = Number(value); changed(); }),
    choice("to accuracy", numbered(sweep.accuracies.map(power)), state.accuracy,
      value => { state.accuracy = Number(value); changed(); }),
  ];
  const begin = sweep => ({ quantity: 0, accuracy: sweep.accuracies.indexOf(sweep.shown) });
  const said = (sweep, state) =>
    `${sweep.quantities[state.quantity].label} to accuracy ${power(sweep.accuracies[state.accuracy])}`;

  // As many figures as there are captions, in a box.
  function panelsIn(box, name, captions) {
    const old = [...box.querySelectorAll(".plot")];
    old.slice(captions.length).forEach(plot => { Plotly.purge(plot); plot.parentNode.remove(); });
    box.className = captions.length > 1 ? "panels several" : "panels";
    return captions.map((caption, k) => {
      const plot = old[k] || element("div", { class: "plot", id: `${name}-${k}` });
      if (!old[k]) box.append(element("figure", {}, element("figcaption"), plot));
      plot.previousSibling.textContent = caption;
      return plot;
    });
  }

  function tableOf(kind, heads, rows, words) {
    const cell = (tag, [text, attributes, small], k) => element(tag,
      { ...(k < words ? {} : { class: "number" }), ...attributes }, text,
      ...(small ? [element("small", {}, small)] : []));
    const head = element("tr", {}, ...heads.map((one, k) => cell("th", [one, { scope: "col" }], k)));
    const body = rows.map(row => element("tr", {}, ...row.map((one, k) => cell("td", one, k))));
    return element("table", { class: kind }, element("thead", {}, head),
      element("tbody", {}, ...body));
  }

  // ---- cost against a key --------------------------------------------------------------------

  function against(box) {
    const sweep = data(box.dataset.source), name = `${box.dataset.source}-against`;
    const numbers = sweep.against.map(one => one.key);
    if (!numbers.length) {
      box.append(element("p", { class: "note" }, "No swept key has several numbers."));
      return null;
    }
    const state = { ...begin(sweep), key: numbers[0], x: true, y: true, fit: false,
      bars: sweep.algorithms.length <= MANY };
    const hidden = new Set(), fixed = new Map();
    const controls = element("div", { class: "controls" });
    const names = element("div", { class: "names" }), panels = element("div");
    const words = element("p", { class: "small" });
    const exponents = element("div", { class: "scroll" });
    const table = element("details", {}, element("summary", {}, "Exponents"), words, exponents);
    box.append(controls, names, panels, table);
    const pick = what => value => { state[what] = value; draw(); };

    // Keys beside the chosen one have panels of their own, as many as there is room for.
    function settle(kept) {
      const { open, choices, facets } = sweep.against.find(one => one.key === state.key);
      [...fixed.keys()].filter(k => !choices.includes(k)).forEach(k => fixed.delete(k));
      const found = () => facets.filter(isAt(open, fixed));
      for (const k of [...choices].reverse()) {
        if (found().length > MOST_PANELS && k !== kept && !fixed.has(k)) {
          fixed.set(k, found()[0].at[open.indexOf(k)]);
        }
      }
      controls.replaceChildren(
        choice("against", numbers.map(k => [k, sweep.keys[k].name]), state.key,
          value => { state.key = Number(value); settle(); draw(); }),
        ...costChoice(sweep, state, draw),
        ...choices.map(k => choice(called(sweep)[k], [["", "each"], ...numbered(sweep.keys[k].values)],
          fixed.has(k) ? fixed.get(k) : "", value => {
            if (value === "") fixed.delete(k); else fixed.set(k, Number(value));
            settle(k);
            draw();
          })),
        tick("log x", state.x, pick("x"))[0], tick("log y", state.y, pick("y"))[0],
        tick("10-90 % range", state.bars, pick("bars"))[0],
        tick("fitted lines", state.fit, pick("fit"))[0]);
    }

    function draw() {
      const facets = facetsOf(sweep, state.key, state.quantity, state.accuracy, fixed);
      const shown = facets.map(facet => facet.lines.map((line, k) => hidden.has(k) ? undefined : line));
      const lines = shown.flat().filter(Boolean);
      const xs = [...new Set(lines.flatMap(line => line.x))].sort((a, b) => a - b);
      const logX = state.x && xs.length > 0 && xs[0] > 0;
      const ys = lines.flatMap(line => [...line.median, ...(state.bars ? [...line.p10, ...line.p90] : [])])
        .filter(y => y < Infinity && (!state.y || y > 0));
      const range = (low, high, log) => {
        if (!(high >= low)) return [0, 1];
        if (!log) { const pad = 0.06 * (high - low || Math.abs(high) || 1); return [low - pad, high + pad]; }
        const pad = 0.06 * Math.log10(high / low) || 0.3;
        return [Math.log10(low) - pad, Math.log10(high) + pad];
      };
      const few = xs.length <= 8 && xs.length > 0 && (!logX || xs.at(-1) < 1000 * xs[0]);
      const yRange = range(state.y ? least(ys) : 0, most(ys), state.y);
      const layout = layoutOf({
        xaxis: { title: title(sweep.keys[state.key].name), type: logX ? "log" : "linear",
          range: range(xs[0], xs.at(-1), logX), exponentformat: "SI",
          ...(few ? { tickmode: "array", tickvals: xs, ticktext: xs.map(String) }
            : logX && xs.at(-1) < 1000 * xs[0] ? { dtick: "D2" } : { nticks: 6 }) },
        yaxis: { title: title(said(sweep, state)), type: state.y ? "log" : "linear", range: yRange,
          exponentformat: "SI", nticks: 8, automargin: true,
          ...(state.y && yRange[1] - yRange[0] < 3 ? { dtick: "D2" } : {}) },
        uirevision: JSON.stringify([state, [...fixed]]),
      });
      const plots = panelsIn(panels, name, facets.map(facet => facet.title));
      showExponents(facets, shown);
      return Promise.all(plots.map((plot, panel) => show(plot, shown[panel].flatMap((line, k) =>
        line ? traces(sweep.algorithms[k], line) : []), layout)));
    }

    function traces(algorithm, line) {
      const colour = seen(algorithm.colour), found = [];
      const there = y => y < Infinity && (!state.y || y > 0) ? y : null;
      const y = line.median.map(there);
      const above = y.map((v, k) => v === null || !(line.p90[k] < Infinity) ? 0 : line.p90[k] - v);
      const below = y.map((v, k) => v === null ? 0 : v - line.p10[k]);
      const law = state.fit && line.fit;
      if (law) {
        const ends = [least(line.x), most(line.x)];
        found.push({ x: ends, y: ends.map(x => law.factor * x ** law.exponent), mode: "lines",
          hoverinfo: "skip", line: { color: clear(colour, 0.7), width: 1, dash: "dot" } });
      }
      found.push({ x: line.x, y, name: escaped(algorithm.name), mode: "lines+markers",
        line: { color: colour, width: WIDTH, dash: dashOf(algorithm.dash) },
        marker: { symbol: algorithm.symbol, size: 9, color: colour,
          line: { width: 1, color: token("--ground") } },
        error_y: { type: "data", symmetric: false, array: above, arrayminus: below,
          visible: state.bars, thickness: 1.2, width: 3, color: colour },
        hovertemplate: "%{x}, %{y:.4~s}<extra>" + escaped(algorithm.name) + "</extra>" });
      return found;
    }

    function showExponents(facets, shown) {
      const keys = facets.length ? facets[0].keys : [];
      const number = value => [Number.isFinite(value) ? value.toFixed(2).replace(/^-(0\.00)$/, "$1") : "-",
        { "data-value": Number.isFinite(value) ? value : "" }];
      const rows = facets.flatMap((facet, f) => shown[f].flatMap((line, k) => {
        if (!line) return [];
        const law = line.fit || {};
        return [[...facet.values.map((v, n) => [String(sweep.keys[keys[n]].values[v])]),
          [sweep.algorithms[k].name], number(law.exponent), number(law.low), number(law.high)]];
      }));
      words.textContent = `${said(sweep, state)} as a power of ${sweep.keys[state.key].name}: the ` +
        "exponent and its 95 % interval. None where a median did not get there; no interval of two points.";
      exponents.replaceChildren(tableOf("exponents",
        [...keys.map(k => called(sweep)[k]), "Algorithm", "Exponent", "From", "To"], rows, keys.length + 1));
    }

    settle();
    const all = () => { legendOf(names, sweep.algorithms, hidden, draw); return draw(); };
    redrawn.push(all);
    const done = all();
    table.open = exponents.querySelectorAll("tbody tr").length <= 20;
    return done;
  }

  // ---- performance profile -------------------------------------------------------------------

  function profile(box) {
    const sweep = data(box.dataset.source), state = begin(sweep), hidden = new Set();
    const names = element("div", { class: "names" });
    const plot = element("div", { class: "plot", id: `${box.dataset.source}-profile-0` });
    box.append(element("div", { class: "controls" }, ...costChoice(sweep, state, () => draw())),
      names, plot);

    function draw() {
      const of = sweep.profiles[state.accuracy];
      const found = "of" in of[state.quantity] ? of[of[state.quantity].of] : of[state.quantity];
      const lines = found.lines.map((line, k) => hidden.has(k) ? null : line);
      const end = Math.max(1.5, most(lines.flatMap(line => line ? line.ratio : []))) ** 1.08;
      const traces = lines.flatMap((line, k) => {
        if (!line) return [];
        const { name, colour, dash } = sweep.algorithms[k];
        return [{ x: [1, ...line.ratio, end], y: [0, ...line.share, line.share.at(-1) || 0],
          name: escaped(name), mode: "lines",
          line: { shape: "hv", color: seen(colour), width: WIDTH, dash: dashOf(dash) },
          hovertemplate: "%{y:.0%} within %{x:.3~g}<extra>" + escaped(name) + "</extra>" }];
      });
      const layout = layoutOf({
        xaxis: { title: title(`${said(sweep, state)}, over the best`), type: "log",
          range: [0, Math.log10(end)], ...(end < 300 ? { dtick: "D2" } : {}) },
        yaxis: { title: title(`Share of ${found.problems.toLocaleString("en-US")} problems`),
          range: [0, 1.03], tickformat: ".0%" },
        uirevision: JSON.stringify(state),
      });
      return show(plot, traces, layout);
    }
    const all = () => { legendOf(names, sweep.algorithms, hidden, draw); return draw(); };
    redrawn.push(all);
    return all();
  }

  // ---- maps ----------------------------------------------------------------------------------

  const MAP = ["#fdea45", "#d9c55c", "#bcae6c", "#a69d75", "#8f8d78", "#7c7b78", "#666970", "#4b596d",
    "#31446b", "#00336f", "#00224e"].map((colour, k, all) => [k / (all.length - 1), colour]);

  // Medians by algorithm as rows of columns; undefined is not there.
  function mapsOf(sweep, keys, quantity, accuracy, fixed = new Map()) {
    const { at, algorithm } = sweep.rows, median = columnOf(sweep, accuracy, quantity, "median");
    const maps = sweep.algorithms.map(() => sweep.keys[keys[0]].values.map(
      () => sweep.keys[keys[1]].values.map(() => undefined)));
    median.forEach((value, row) => {
      if ([...fixed].some(([k, v]) => at[k][row] !== v)) return;
      maps[algorithm[row]][at[keys[0]][row]][at[keys[1]][row]] = value;
    });
    return maps;
  }

  function maps(box) {
    const sweep = data(box.dataset.source), state = begin(sweep), fixed = new Map();
    const several = sweep.keys.map((_, k) => k).filter(k => sweep.keys[k].values.length > 1);
    let keys = several.slice(0, 2);
    const controls = element("div", { class: "controls" }), panels = element("div");
    const scale = element("p", { class: "scale" });
    box.append(controls, scale, panels);
    const options = several.map(k => [k, sweep.keys[k].name]);
    const pick = place => value => {
      const before = keys[place];
      keys[place] = Number(value);
      if (keys[0] === keys[1]) keys[1 - place] = before;
      settle();
      draw();
    };
    function settle() {
      const { choices } = sweep.pairs.find(one => keys.every(k => one.keys.includes(k)));
      [...fixed.keys()].filter(k => !choices.includes(k)).forEach(k => fixed.delete(k));
      choices.filter(k => !fixed.has(k)).forEach(k => fixed.set(k, sweep.rows.at[k][0]));
      controls.replaceChildren(choice("rows", options, keys[0], pick(0)),
        choice("columns", options, keys[1], pick(1)), ...costChoice(sweep, state, draw),
        ...choices.map(k => choice(called(sweep)[k], numbered(sweep.keys[k].values), fixed.get(k),
          value => { fixed.set(k, Number(value)); draw(); })));
    }
    function draw() {
      const found = mapsOf(sweep, keys, state.quantity, state.accuracy, fixed);
      const there = found.map((map, k) => k).filter(k => found[k].flat().some(v => v !== undefined));
      const values = found.flat(2).filter(v => v > 0 && v < Infinity);
      const low = Math.log10(least(values)), high = Math.max(Math.log10(most(values)), low + 0.01);
      const texts = keys.map(k => sweep.keys[k].values.map(v => escaped(String(v))));
      scale.replaceChildren(...(values.length ? [`${said(sweep, state)}: `, brief(least(values)),
        element("span", { class: "colours", "aria-hidden": "true" }), brief(most(values))]
        : ["No algorithm got there in any of these cells."]));
      const inside = texts[1].length <= (narrow() ? 6 : 10);
      const plots = panelsIn(panels, `${box.dataset.source}-maps`, there.map(k => sweep.algorithms[k].name));
      const height = `${Math.max(10, Math.min(32, 7.5 + 2.2 * texts[0].length))}rem`;
      return Promise.all(plots.map((plot, panel) => {
        const map = found[there[panel]];
        plot.style.height = height;
        const cells = map.flatMap((row, r) => row.map((value, c) => [value, r, c]));
        const label = ([value, r, c]) => {
          const level = (Math.log10(value) - low) / (high - low), good = value > 0 && value < Infinity;
          return { x: c, y: r, showarrow: false, font: { size: 11,
              color: !good ? token("--soft") : level > 0.45 ? "#ffffff" : "#000000" },
            text: good ? brief(value) : value === 0 ? "0" : Number.isNaN(value) ? "not tried" : "never" };
        };
        const layout = layoutOf({
          xaxis: { title: title(sweep.keys[keys[1]].name), showgrid: false, ticks: "", showline: false,
            tickmode: "array", tickvals: texts[1].map((_, k) => k), ticktext: texts[1] },
          yaxis: { title: title(sweep.keys[keys[0]].name), showgrid: false, ticks: "", showline: false,
            tickmode: "array", tickvals: texts[0].map((_, k) => k), ticktext: texts[0],
            autorange: "reversed", automargin: true },
          dragmode: false,
          annotations: inside ? cells.filter(([value]) => value !== undefined).map(label) : [],
        });
        layout.margin = { ...layout.margin, t: 30, l: 48 };
        return show(plot, [{ type: "heatmap", zmin: low, zmax: high, colorscale: MAP, showscale: false,
          z: map.map(row => row.map(v => v > 0 && v < Infinity ? Math.log10(v) : null)),
          customdata: map.map(row => row.map(v => written(v, sweep.quantities[state.quantity].name))),
          text: map.map((row, r) => row.map((_, c) => `${texts[0][r]}, ${texts[1][c]}`)),
          xgap: 1, ygap: 1, hoverongaps: false,
          hovertemplate: "%{text}: %{customdata}<extra></extra>" }], layout);
      }));
    }
    settle();
    redrawn.push(draw);
    return draw();
  }

  // ---- all costs -----------------------------------------------------------------------------

  function costs(box) {
    const sweep = data(box.dataset.source), { rows } = sweep;
    const state = { accuracy: begin(sweep).accuracy, by: null, down: false, whole: false, algorithm: "" };
    const place = element("div", { class: "scroll" }), more = element("p", { class: "moves" });
    box.append(element("div", { class: "controls" },
      choice("to accuracy", numbered(sweep.accuracies.map(power)), state.accuracy,
        value => { state.accuracy = Number(value); draw(); }),
      choice("algorithm", [["", "all"], ...numbered(sweep.algorithms.map(one => one.name))], "",
        value => { state.algorithm = value; draw(); })), place, more);
    const later = value => value === undefined ? 4e306 : Number.isNaN(value) ? 3e306
      : value === Infinity ? 2e306 : value;

    function draw() {
      const columns = sweep.quantities.map((_, q) =>
        ["median", "p10", "p90"].map(which => columnOf(sweep, state.accuracy, q, which)));
      const { reached } = sweep.tables[state.accuracy], words = sweep.keys.length + 1;
      const heads = [...called(sweep), "Algorithm", "Reached",
        ...sweep.quantities.map(one => one.label)];
      const worth = row => k => k < words - 1
        ? (sweep.keys[k].number ? sweep.keys[k].values[rows.at[k][row]] : rows.at[k][row])
        : k === words - 1 ? rows.algorithm[row]
          : k === words ? -reached[row] / rows.repeats[row] : later(columns[k - words - 1][0][row]);
      const wanted = rows.algorithm.map((_, row) => row)
        .filter(row => state.algorithm === "" || rows.algorithm[row] === Number(state.algorithm));
      if (state.by !== null) {
        wanted.sort((a, b) => (state.down ? -1 : 1) * (worth(a)(state.by) - worth(b)(state.by)));
      }
      const seenOnes = state.whole ? wanted : wanted.slice(0, MOST_ROWS);
      const cells = seenOnes.map(row => [
        ...sweep.keys.map((key, k) => [String(key.values[rows.at[k][row]])]),
        [sweep.algorithms[rows.algorithm[row]].name], [`${reached[row]}/${rows.repeats[row]}`],
        ...columns.map(([median, p10, p90], q) => {
          const [m, low, high] = [median[row], p10[row], p90[row]], { name } = sweep.quantities[q];
          const between = m < Infinity && low !== high
            ? `${written(low, name)} to ${written(high, name)}` : "";
          return [written(m, name), { "data-value": String(m) }, between];
        })]);
      const table = tableOf("costs", heads, cells, words);
      [...table.tHead.rows[0].cells].forEach((head, k) => {
        const button = element("button", { type: "button", title: "sort by this" }, head.textContent);
        head.replaceChildren(button);
        if (state.by === k) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
        button.addEventListener("click", () => {
          state.down = state.by === k && !state.down;
          state.by = k;
          draw();
        });
      });
      place.replaceChildren(table);
      const rest = wanted.length - seenOnes.length;
      const button = element("button", { type: "button" }, `show ${rest.toLocaleString("en-US")} more rows`);
      button.addEventListener("click", () => { state.whole = true; draw(); });
      more.replaceChildren(...(rest > 0 ? [button] : []));
    }
    draw();
    return null;
  }

  window.dadaoSweep = { facetsOf, mapsOf };
  return { against, profile, maps, costs };
};
