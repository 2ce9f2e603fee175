"use strict";
(() => {
  // The rules of dadao_sim.plotting.curves: which axes are logarithmic, and where they end.
  const LOG_RATIO = 30, RISE = 100, LARGEST = 1e150;

  // The median of the repeats and the ends of their band, which came with the page; a run that is
  // alone is its own median. Null is beyond all numbers.
  function bandOf(stored, runs, xName, yName) {
    if (!stored) {
      const [run] = runs.filter(one => one.x[one.x.length - 1] > 0);
      return { x: run ? run.x : [], median: run ? run.y : [], low: [], high: [] };
    }
    if (!stored[xName]) return { x: [], median: [], low: [], high: [] };
    const { of, times } = { of: xName, times: 1, ...stored[xName] };
    const { grids, y } = stored[of];
    const [grid, median, low, high] = y[yName];
    return { x: grids[grid].map(x => x * times), median, low, high: high.map(v => v ?? Infinity) };
  }

  function columnOf(columns, name) {
    const found = columns[name];
    return Array.isArray(found) ? found : columnOf(columns, found.of).map(v => v * found.times);
  }

  // The samples of each run that the axes can hold.
  function runsOf(stored, xName, yName, log) {
    return (stored || []).map(({ status, columns }) => {
      const run = { status, x: [], y: [] };
      const xs = columnOf(columns, xName), ys = columnOf(columns, yName);
      xs.forEach((x, k) => {
        const y = ys[k];
        if (x === null || y === null || Math.abs(y) > LARGEST || (log && y < 1 / LARGEST)) return;
        run.x.push(x);
        run.y.push(y);
      });
      return run;
    });
  }

  const least = values => values.reduce((a, b) => Math.min(a, b), Infinity);
  const most = values => values.reduce((a, b) => Math.max(a, b), -Infinity);

  // Where the y axis begins and ends.
  function heightOf(runs, log) {
    const first = most(runs.map(run => run.y[0]));
    if (log) {
      const lowest = least(runs.map(run => least(run.y)));
      const highest = Math.min(most(runs.map(run => most(run.y))), RISE * first);
      const margin = highest > lowest ? (highest / lowest) ** 0.04 : 2;
      return [lowest / margin, highest * margin];
    }
    const shown = runs.map(run => run.status === "diverged" ? run.y.slice(0, 1) : run.y);
    const lowest = least(shown.map(least)), highest = most(shown.map(most));
    const margin = highest > lowest ? 0.04 * (highest - lowest) : 1;
    return [lowest - margin, highest + margin];
  }

  // Where each run that diverged left the axes, or ended.
  function crossesOf(runs, top, log) {
    const crosses = [];
    for (const run of runs.filter(run => run.status === "diverged" && run.x.length)) {
      const k = run.y.findIndex(y => y > top);
      if (k <= 0) {
        crosses.push([run.x[run.x.length - 1], Math.min(run.y[run.y.length - 1], top)]);
      } else {
        const to = log ? Math.log : y => y;
        const part = (to(top) - to(run.y[k - 1])) / (to(run.y[k]) - to(run.y[k - 1]));
        crosses.push([run.x[k - 1] + part * (run.x[k] - run.x[k - 1]), top]);
      }
    }
    return crosses;
  }

  // ---- the look ------------------------------------------------------------------------------

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)");
  const narrow = () => window.innerWidth < 640;
  const data = id => JSON.parse(document.getElementById(id).textContent);
  const token = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const channels = colour => [1, 3, 5].map(k => parseInt(colour.slice(k, k + 2), 16));
  function luminance(colour) {
    const [r, g, b] = channels(colour).map(c => {
      const part = c / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function mixed(colour, other, part) {
    const [a, b] = [channels(colour), channels(other)];
    return "#" + a.map((c, k) => Math.round(c + part * (b[k] - c)).toString(16).padStart(2, "0"))
      .join("");
  }
  // On a dark ground black is nearly white, and what is too dark is lightened.
  function seen(colour) {
    if (!dark.matches) return colour;
    const [r, g, b] = channels(colour);
    if (r === g && g === b && r < 128) return mixed("#f2f2f2", "#000000", r / 255);
    const ground = luminance(token("--ground"));
    let part = 0;
    while (part < 1 && (luminance(mixed(colour, "#ffffff", part)) + 0.05) / (ground + 0.05) < 4) {
      part += 0.1;
    }
    return mixed(colour, "#ffffff", part);
  }
  const clear = (colour, alpha) => `rgba(${channels(colour).join(",")},${alpha})`;

  // Over few decades 2 and 5 have ticks too, not all digits.
  const digitsOf = ([low, high]) => high - low < 3 ? { dtick: "D2" } : {};
  const title = text => ({ text: escaped(text), standoff: 8, font: { size: narrow() ? 11 : 13 } });
  const WIDTH = 2;
  const dashOf = dash => dash.length ? dash.map(d => `${d * WIDTH}px`).join(",") : "solid";
  const escaped = text => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

  function layoutOf(more) {
    const axis = {
      color: token("--ink"), gridcolor: token("--line"), linecolor: token("--soft"),
      showline: true, zeroline: false, ticks: "outside", tickcolor: token("--soft"),
      exponentformat: "SI",
    };
    const { xaxis, yaxis, ...rest } = more;
    return {
      paper_bgcolor: token("--ground"), plot_bgcolor: token("--ground"),
      font: { color: token("--ink"), family: getComputedStyle(document.body).fontFamily, size: 13 },
      margin: { l: 62, r: 12, t: 34, b: 48 }, showlegend: false, hovermode: "closest",
      hoverlabel: { bgcolor: token("--raised"), bordercolor: token("--line"),
        font: { color: token("--ink") }, namelength: -1, align: "left" },
      dragmode: coarse.matches ? false : "zoom",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: token("--soft"), activecolor: token("--ink") },
      xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
    };
  }
  const config = name => ({
    displaylogo: false, responsive: true, typesetMath: false,
    // Only these: plotly's own choice may have one that sends the figure to its makers.
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
    toImageButtonOptions: { format: "svg", filename: name },
  });
  const show = (plot, traces, layout) =>
    Plotly.react(plot, traces, layout, config(plot.id)).then(() => { plot.dataset.drawn = ""; });

  // ---- pieces of the page --------------------------------------------------------------------

  function element(tag, attributes = {}, ...content) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...content);
    return made;
  }
  function choice(words, options, chosen, changed) {
    const select = element("select");
    for (const [value, text] of options) select.append(element("option", { value }, text));
    select.value = chosen;
    select.addEventListener("change", () => changed(select.value));
    return element("label", {}, words, select);
  }
  function tick(words, on, changed) {
    const box = element("input", { type: "checkbox" });
    box.checked = on;
    box.addEventListener("change", () => changed(box.checked));
    return [element("label", {}, box, words), box];
  }
  const MARKS = {
    "circle": "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0Z", "square": "M-4,-4H4V4H-4Z",
    "triangle-up": "M0,-4.6L4.5,3.4H-4.5Z", "diamond": "M0,-5L5,0L0,5L-5,0Z",
    "triangle-down": "M0,4.6L4.5,-3.4H-4.5Z", "triangle-left": "M-4.6,0L3.4,-4.5V4.5Z",
    "triangle-right": "M4.6,0L-3.4,-4.5V4.5Z",
    "pentagon": "M0,-4.5L4.3,-1.4L2.6,3.6H-2.6L-4.3,-1.4Z",
    "hexagon": "M0,-4.5L3.9,-2.2V2.2L0,4.5L-3.9,2.2V-2.2Z",
    "cross": "M-1.5,-4.5H1.5V-1.5H4.5V1.5H1.5V4.5H-1.5V1.5H-4.5V-1.5H-1.5Z",
  };
  function swatch(algorithm) {
    const box = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const colour = seen(algorithm.colour), dash = algorithm.dash.map(d => d * WIDTH).join(" ");
    box.setAttribute("width", 40);
    box.setAttribute("height", 12);
    box.setAttribute("viewBox", "-20 -6 40 12");
    box.setAttribute("aria-hidden", "true");
    box.innerHTML = `<path d="M-20,0H20" stroke="${colour}" stroke-width="${WIDTH}"` +
      ` stroke-dasharray="${dash}"/><path d="${MARKS[algorithm.symbol]}" fill="${colour}"/>`;
    return box;
  }

  // A button per algorithm, which hides it and shows it again.
  function legendOf(box, algorithms, hidden, changed) {
    const again = () => {
      legendOf(box, algorithms, hidden, changed);
      changed();
    };
    const buttons = algorithms.map((algorithm, k) => {
      const button = element("button", { type: "button", "aria-pressed": !hidden.has(k) },
        swatch(algorithm), algorithm.name);
      button.addEventListener("click", () => {
        if (!hidden.delete(k)) hidden.add(k);
        again();
      });
      return button;
    });
    const all = element("button", { type: "button", class: "plain" },
      hidden.size ? "show all" : "hide all");
    all.addEventListener("click", () => {
      if (hidden.size) hidden.clear();
      else algorithms.forEach((_, k) => hidden.add(k));
      again();
    });
    box.replaceChildren(...buttons, ...(buttons.length > 1 ? [all] : []));
  }

  const redrawn = [];  // what draws again in other colours

  // ---- curves --------------------------------------------------------------------------------

  const MANY = 12;  // algorithms, whose bands would hide each other

  function curves(box) {
    const figure = data(box.dataset.source);
    const sources = figure.sources.map(data), stored = sources.map(one => one.algorithms);
    if (!figure.algorithms.length) {
      box.append(element("p", { class: "note" }, "No run has finished."));
      return null;
    }
    const hidden = new Set();
    const state = { x: figure.x[0].name, y: "accuracy", band: figure.algorithms.length <= MANY, runs: false };
    if (!figure.y.some(y => y.name === state.y)) state.y = figure.y[0].name;
    let xBox, yBox;
    const chosen = { x: null, y: null };  // what the user wants of log, null: what fits

    const names = element("div", { class: "names" });
    const panels = element("div", { class: figure.sources.length > 1 ? "panels several" : "panels" });
    const plots = figure.sources.map((_, k) => {
      const plot = element("div", { class: "plot", id: `${box.dataset.source}-${k}` });
      const caption = figure.titles ? [element("figcaption", {}, figure.titles[k])] : [];
      panels.append(element("figure", {}, ...caption, plot));
      return plot;
    });
    const pick = name => value => {
      state[name] = value;
      if (name === "x" || name === "y") chosen[name] = null;
      draw();
    };
    const wants = name => on => { chosen[name] = on; draw(); };
    const [xLabel, xTick] = tick("log x", false, wants("x"));
    const [yLabel, yTick] = tick("log y", true, wants("y"));
    [xBox, yBox] = [xTick, yTick];
    const options = list => list.map(one => [one.name, one.label]);
    box.append(
      element("div", { class: "controls" },
        choice("x", options(figure.x), state.x, pick("x")),
        choice("y", options(figure.y), state.y, pick("y")), xLabel, yLabel,
        tick("10-90 % band", state.band, pick("band"))[0],
        tick("every run", state.runs, pick("runs"))[0]),
      names, panels);

    const legend = () => legendOf(names, figure.algorithms, hidden, draw);

    function draw() {
      const y = figure.y.find(one => one.name === state.y);
      const x = figure.x.find(one => one.name === state.x);
      const logY = chosen.y ?? y.log;
      const runs = stored.map((of, panel) => figure.algorithms.map(
        algorithm => runsOf(of[algorithm.labels[panel]], x.name, y.name, logY)));
      const shown = runs.map(of => of.map((list, k) => hidden.has(k) ? [] : list));
      const some = shown.flat(2).filter(run => run.x.length);
      const height = some.length ? heightOf(some, logY) : [logY ? 0.1 : 0, 1];
      const bands = shown.map((of, panel) => of.map((list, k) => bandOf(
        list.length ? sources[panel].bands[figure.algorithms[k].labels[panel]] : null,
        list, x.name, y.name)));
      const crosses = shown.map(of => of.map(list => crossesOf(list, height[1], logY)));

      const ends = [], lasting = [];
      bands.forEach((of, panel) => of.forEach((band, k) => {
        if (!band.x.length) return;
        ends.push(band.x[band.x.length - 1]);
        if (shown[panel][k].some(run => run.status !== "diverged")) lasting.push(ends.at(-1));
      }));
      const furthest = most([...ends, ...crosses.flat(2).map(cross => cross[0])]);
      const positive = (lasting.length ? lasting : ends).filter(end => end > 0);
      const apart = positive.length > 0 && most(positive) > LOG_RATIO * least(positive);
      const logX = chosen.x ?? apart;
      xBox.checked = logX;
      yBox.checked = logY;
      const firsts = some.flatMap(run => run.x.filter(v => v > 0).slice(0, 1));
      const begin = Math.max(least(firsts), least(positive) / LOG_RATIO);
      const width = logX && positive.length
        ? [Math.log10(begin), Math.log10(1.2 * furthest)] : [0, furthest > 0 ? 1.03 * furthest : 1];

      const layout = layoutOf({
        xaxis: { title: title(x.label), type: logX ? "log" : "linear",
          range: width, nticks: narrow() ? 5 : 10, exponentformat: "SI" },
        yaxis: { title: title(y.label), type: logY ? "log" : "linear",
          range: logY ? height.map(Math.log10) : height, exponentformat: "power", nticks: 8,
          automargin: true, ...(logY ? digitsOf(height.map(Math.log10)) : {}) },
        uirevision: `${state.x} ${state.y} ${logX} ${logY}`,
      });
      return Promise.all(plots.map((plot, panel) => show(plot, figure.algorithms.flatMap(
        (algorithm, k) => hidden.has(k) ? [] : traces(
          algorithm, shown[panel][k], bands[panel][k], crosses[panel][k], height[1])), layout)));
    }

    function traces(algorithm, runs, band, crosses, top) {
      const colour = seen(algorithm.colour), name = escaped(algorithm.name), found = [];
      const quiet = { hoverinfo: "skip", showlegend: false };
      if (state.band && band.x.length && runs.length > 1) {
        const high = band.high.map(y => Math.min(y, top));
        const line = { width: 0, color: colour };
        found.push({ ...quiet, x: band.x, y: band.low, mode: "lines", line },
          { ...quiet, x: band.x, y: high, mode: "lines", line, fill: "tonexty",
            fillcolor: clear(colour, 0.2) });
      }
      if (state.runs) {
        for (const run of runs) {
          found.push({ ...quiet, x: run.x, y: run.y, mode: "lines",
            line: { width: 0.8, color: clear(colour, 0.6) } });
        }
      }
      if (band.x.length) {
        found.push({ x: band.x, y: band.median, name, mode: "lines+markers",
          line: { color: colour, width: WIDTH, dash: dashOf(algorithm.dash) },
          marker: { symbol: algorithm.symbol, size: 8, color: colour, maxdisplayed: 9,
            line: { width: 1, color: token("--ground") } },
          hovertemplate: "%{x:.5~s}, %{y:.3~g}<extra>" + name + "</extra>" });
      }
      if (crosses.length) {
        found.push({ x: crosses.map(c => c[0]), y: crosses.map(c => c[1]), name, mode: "markers",
          cliponaxis: false, marker: { symbol: "x-thin", size: 9, line: { width: 2, color: colour } },
          hovertemplate: "diverged at %{x:.5~s}<extra>" + name + "</extra>" });
      }
      return found;
    }

    // What is zoomed in one panel is zoomed in all.
    if (plots.length > 1) {
      let following = false;
      setTimeout(() => plots.forEach(plot => plot.on("plotly_relayout", change => {
        const axes = Object.fromEntries(Object.entries(change).filter(([key]) => /^[xy]axis/.test(key)));
        if (following || !Object.keys(axes).length) return;
        following = true;
        Promise.all(plots.filter(other => other !== plot)
          .map(other => Plotly.relayout(other, axes))).then(() => { following = false; });
      })));
    }
    const all = () => { legend(); return draw(); };
    redrawn.push(all);
    return all();
  }

  // ---- networks ------------------------------------------------------------------------------

  function network(box) {
    const stored = data(box.dataset.source);
    const plot = element("div", { class: "plot", id: `${box.dataset.source}-0` });
    const words = element("p", { class: "small" });
    const differs = one => one.values.length > 1;
    let load = Math.max(stored.loads.findIndex(differs), stored.loads.length ? 0 : -1);
    if (stored.loads.length) {
      const options = stored.loads.map((one, k) => [k, one.title]);
      box.append(element("div", { class: "controls" },
        choice("edges", options, load, value => { load = Number(value); draw(); })));
    }
    box.append(plot, words);

    function draw() {
      const shown = stored.loads[load];
      const same = !shown || shown.values.length < stored.edges.length;  // one number for all
      const values = stored.edges.map((_, k) => shown ? shown.values[same ? 0 : k] : 1);
      const top = most(values);
      const few = token("--few"), many = token("--many");
      const level = value => top > 0 ? value / top : 0;
      const LEVELS = 12, bins = new Map();
      const thin = Math.min(1, Math.sqrt(100 / stored.edges.length));
      stored.edges.forEach((edge, k) => {
        const bin = same ? LEVELS : Math.ceil(level(values[k]) * LEVELS);
        if (!bins.has(bin)) bins.set(bin, []);
        bins.get(bin).push(edge);
      });
      const traces = [...bins].sort((a, b) => a[0] - b[0]).map(([bin, edges]) => ({
        x: edges.flatMap(([i, j]) => [stored.x[i], stored.x[j], null]),
        y: edges.flatMap(([i, j]) => [stored.y[i], stored.y[j], null]),
        mode: "lines", hoverinfo: "skip",
        line: same ? { color: token("--soft"), width: 0.6 + 1.4 * thin }
          : bin === 0 ? { color: token("--gone"), width: 1, dash: "dot" }
          : { color: mixed(few, many, bin / LEVELS), width: 0.6 + 4 * thin * bin / LEVELS },
      }));
      const called = ([i, j]) => escaped(`${stored.nodes[i]} - ${stored.nodes[j]}`);
      const middles = {
        x: stored.edges.map(([i, j]) => (stored.x[i] + stored.x[j]) / 2),
        y: stored.edges.map(([i, j]) => (stored.y[i] + stored.y[j]) / 2),
        text: stored.edges.map(called), customdata: values, mode: "markers",
        marker: { size: 12, opacity: 0, color: values, colorscale: [[0, few], [1, many]],
          cmin: 0, cmax: top, showscale: !same,
          colorbar: { orientation: "h", thickness: 10, len: 0.7, y: -0.02, yanchor: "top",
            outlinewidth: 0, nticks: 5, exponentformat: "SI", tickcolor: token("--soft"),
            title: { text: shown ? escaped(shown.unit) : "", side: "bottom", font: { size: 12 } } } },
        hovertemplate: shown ? "%{text}: %{customdata:.4~g}<extra></extra>" : "%{text}<extra></extra>",
      };
      const large = stored.nodes.length > 60;
      const nodes = {
        x: stored.x, y: stored.y, text: stored.nodes.map(escaped), mode: "markers",
        marker: { size: Math.max(3, Math.min(11, 90 / Math.sqrt(stored.nodes.length))),
          color: token("--ink"), line: { width: large ? 0 : 1.5, color: token("--ground") } },
        hovertemplate: "node %{text}<extra></extra>",
      };
      const bare = { visible: false, constrain: "domain" };
      words.textContent = !shown ? "" : same
        ? `The same on every edge: ${Number(top.toPrecision(4))} (${shown.unit}).` : "";
      return show(plot, [...traces, middles, nodes], layoutOf({
        xaxis: bare, yaxis: { ...bare, scaleanchor: "x", scaleratio: stored.aspect },
        margin: { l: 8, r: 8, t: 8, b: same ? 8 : 64 },
      }));
    }
    redrawn.push(draw);
    return draw();
  }

  // ---- timelines -----------------------------------------------------------------------------

  const BARS = {
    computing: ["#56B4E9", 0.9], waiting: ["#E69F00", 0.55], gone: ["#9aa3ad", 0.35],
  };
  const POINTS = {
    "gradient": ["circle", "#0072B2", 6], "lost": ["x", "#D55E00", 8],
    "state lost": ["triangle-down", "#000000", 9],
  };
  const SEEN_AT_FIRST = 350;

  function timeline(box) {
    const stored = data(box.dataset.source);
    const plot = element("div", { class: "plot", id: `${box.dataset.source}-0` });
    let chosen = 0;
    const controls = element("div", { class: "controls" });
    if (stored.length > 1) {
      controls.append(choice("algorithm", stored.map((one, k) => [k, one.name]), 0,
        value => { chosen = Number(value); draw(); }));
    }
    const moves = element("span", { class: "moves" });
    for (const [text, words, by, grow] of [["\u2190", "earlier", -0.7, 1], ["\u2192", "later", 0.7, 1],
      ["+", "closer", 0, 0.5], ["\u2212", "wider", 0, 2]]) {
      const button = element("button", { type: "button", title: words, "aria-label": words }, text);
      button.addEventListener("click", () => {
        const [begin, end] = plot.layout.xaxis.range, width = (end - begin) * grow;
        const from = Math.max(0, Math.min(begin + by * width, stored[chosen].end - width));
        Plotly.relayout(plot, { "xaxis.range": [from, from + Math.min(width, stored[chosen].end)] });
      });
      moves.append(button);
    }
    controls.append(moves);
    box.append(controls);
    const words = element("p", { class: "small" });
    box.append(plot, words);

    function draw() {
      const one = stored[chosen], count = one.nodes.length;
      const node = k => escaped(one.nodes[k]);
      const traces = Object.entries(BARS).filter(([kind]) => one.bars[kind]).map(([kind, [base, alpha]]) => {
        const [nodes, begin, end] = one.bars[kind];
        return { type: "bar", orientation: "h", name: kind, y: nodes, base: begin,
          x: end.map((t, k) => t - begin[k]), width: 0.64, customdata: end, text: nodes.map(node),
          textposition: "none",
          marker: { color: clear(base, alpha), line: { width: 1, color: token("--ground") },
            ...(kind === "gone" ? { pattern: { shape: "/", fgcolor: token("--soft"), size: 5 } } : {}) },
          hovertemplate: `node %{text} ${kind}: %{base:.5~g} to %{customdata:.5~g}<extra></extra>` };
      });
      const [sent, from, arrived, to] = one.messages;
      if (sent.length) {
        traces.push({ name: "message", mode: "lines", hoverinfo: "skip",
          x: sent.flatMap((t, k) => [t, arrived[k], null]),
          y: from.flatMap((v, k) => [v, to[k], null]), line: { width: 1, color: clear(token("--soft"), 0.7) } });
      }
      if (one.bars.cut) {
        const [nodes, begin, end] = one.bars.cut;
        traces.push({ name: "edge cut", mode: "lines", hoverinfo: "skip",
          x: begin.flatMap((t, k) => [t, end[k], null]),
          y: nodes.flatMap(v => [v + 0.41, v + 0.41, null]), line: { width: 2.5, color: "#D55E00" } });
      }
      if (one.rounds.length) {
        traces.push({ name: "end of a round", mode: "lines", hoverinfo: "skip",
          x: one.rounds.flatMap(t => [t, t, null]), y: one.rounds.flatMap(() => [-0.5, count - 0.5, null]),
          line: { width: 1, dash: "dot", color: token("--ink") } });
      }
      for (const [kind, [symbol, colour, size]] of Object.entries(POINTS)) {
        if (!one.points[kind]) continue;
        const [time, nodes] = one.points[kind];
        traces.push({ name: kind, mode: "markers", x: time, y: nodes, text: nodes.map(node),
          marker: { symbol, size, color: seen(colour) },
          hovertemplate: `${kind} at node %{text}: %{x:.5~g}<extra></extra>` });
      }
      const things = sent.length + one.rounds.length +
        [...Object.values(one.bars), ...Object.values(one.points)].reduce((sum, rows) => sum + rows[0].length, 0);
      const width = (narrow() ? 0.4 : 1) * SEEN_AT_FIRST / Math.max(things, 1);
      const named = one.nodes.some((name, k) => name !== String(k));
      plot.style.height = `${Math.max(14, Math.min(56, 8 + 1.25 * count))}rem`;
      words.textContent = `The first repeat up to time ${Number(one.end.toPrecision(4))}.`;
      return show(plot, traces, layoutOf({
        barmode: "overlay", showlegend: true, dragmode: coarse.matches ? false : "pan",
        legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
        margin: { l: named ? 110 : 48, r: 12, t: 44, b: 48 },
        xaxis: { title: title("Time (mean gradient intervals)"),
          range: [0, one.end * Math.min(1, width)], exponentformat: "SI" },
        yaxis: { title: title(named ? "" : "Node"), range: [count - 0.4, -0.6], fixedrange: true,
          showgrid: false, tickmode: "array", tickvals: one.nodes.map((_, k) => k),
          ticktext: one.nodes.map(escaped) },
        uirevision: String(chosen),
      }));
    }
    redrawn.push(draw);
    return draw();
  }

  // ---- tables --------------------------------------------------------------------------------

  function choosers(box) {
    const chosen = {};
    const selects = [...box.querySelectorAll("select[data-chooses]")];
    const tables = [...box.querySelectorAll("[data-accuracy]")];
    const update = () => {
      for (const select of selects) chosen[select.dataset.chooses] = select.value;
      for (const table of tables) {
        table.hidden = Object.entries(chosen).some(([what, value]) => table.dataset[what] !== value);
      }
    };
    selects.forEach(select => select.addEventListener("change", update));
    update();
  }

  // nan (not tried) behind inf (not reached) behind numbers.
  const order = text => text === "nan" ? Infinity : text === "inf" ? Number.MAX_VALUE : Number(text);

  function ranking(table) {
    const heads = [...table.querySelectorAll("th[data-quantity]")];
    const body = table.tBodies[0];
    heads.forEach(head => {
      const button = element("button", { type: "button", title: "rank by this" }, head.textContent);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const value = row => row.cells[head.cellIndex].dataset.value;
        const rows = [...body.rows].sort((a, b) => order(value(a)) - order(value(b)) || 0);
        rows.forEach((row, k) => {
          row.querySelector(".rank").textContent = Number.isFinite(Number(value(row))) ? k + 1 : "";
        });
        body.append(...rows);
        heads.forEach(other => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", "ascending");
      });
    });
  }

  // ---- all of it -----------------------------------------------------------------------------

  document.querySelectorAll("[data-tables]").forEach(choosers);
  document.querySelectorAll("table.ranking").forEach(ranking);
  const kinds = { curves, network, timeline, ...sweepFigures({
    choice, clear, dashOf, data, element, escaped, layoutOf, least, legendOf, MANY, most, narrow,
    redrawn, seen, show, tick, title, token, WIDTH,
  }) };
  const drawn = Object.entries(kinds).flatMap(
    ([kind, draw]) => [...document.querySelectorAll(`.${kind}[data-source]`)].map(draw));
  dark.addEventListener("change", () => redrawn.forEach(draw => draw()));
  window.dadaoSim = { bandOf, ready: Promise.all(drawn) };
})();
