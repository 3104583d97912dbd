"use strict";
// Draws the learning curve from the JSON in #data. Text from files only ever goes into text nodes and attributes.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [choices, title, chart, readout] = ["choices", "metric", "chart", "readout"]
    .map((id) => document.getElementById(id));
  const COLOURS = 7, NAMED = 12; // lines that the read-out names
  if (!chart) return; // nothing was logged

  const svg = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const html = (name, text) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // --- choices

  const select = (label, names) => {
    const list = html("select");
    names.forEach((name, index) => {
      const option = html("option", name);
      option.value = index;
      list.append(option);
    });
    const around = html("label", label);
    around.append(list);
    if (names.length > 1) choices.append(around);
    list.addEventListener("change", draw);
    return list;
  };
  const metricChoice = select("metric", data.metrics.map((each) => each.name));
  const axisChoice = select("over", data.axes.map((each) => each.name));
  choices.hidden = false;

  // --- numbers

  const plain = (value) => value.toLocaleString("en", { maximumSignificantDigits: Math.abs(value) < 1e5 ? 5 : 21,
    maximumFractionDigits: 0, roundingPriority: "morePrecision" });
  const short = (value) => Math.abs(value) < 1e4 ? plain(Number(value.toPrecision(10)))
    : value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 4 });
  const clock = (seconds) => [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60]
    .map((part, index) => index ? String(part).padStart(2, "0") : part).join(":");
  const ticks = (low, high, count) => {
    const rough = (high - low) / count, size = 10 ** Math.floor(Math.log10(rough));
    const step = size * [1, 2, 5, 10].find((factor) => size * factor >= rough);
    const first = Math.ceil(low / step), last = Math.floor(high / step);
    return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  };

  // --- what is drawn now

  const series = (metric, axis) => {
    const drawn = data.runs.map((run, index) => ({
      name: run.name,
      kind: index % COLOURS,
      x: run[axis.column].map((value) => value === null ? null : value * axis.factor),
      y: run.values[metric.name] || [],
    }));
    const mean = (data.means[metric.name] || {})[axis.column];
    if (mean) {
      const x = mean.x.map((value) => value * axis.factor);
      drawn.push({ name: "interquartile mean", kind: "mean", x, y: mean.mean, low: mean.low, high: mean.high });
    }
    return drawn;
  };

  const unitOf = (axis, longest) => {
    if (axis.column !== "seconds") return [1, axis.name === "frames" ? "emulator frames" : "agent steps"];
    const [size, name] = longest > 7200 ? [3600, "hours"] : longest > 120 ? [60, "minutes"] : [1, "seconds"];
    return [size, `${name} of training`];
  };

  let moveTo = () => {};

  function draw() {
    const metric = data.metrics[metricChoice.value], axis = data.axes[axisChoice.value];
    const lines = series(metric, axis), isGroup = data.runs.length > 1;
    const known = (values) => values.filter((value) => value !== null && value !== undefined);
    const values = lines.flatMap((line) => known([...line.y, ...(line.low || []), ...(line.high || [])]));
    const longest = lines.reduce((most, line) => known(line.x).reduce((a, b) => Math.max(a, b), most), 0) || 1;
    let low = values.reduce((a, b) => Math.min(a, b), values[0] ?? 0);
    let high = values.reduce((a, b) => Math.max(a, b), values[0] ?? 1);

    // A score to compare with is drawn if the curves keep most of the height.
    const references = metric.name === "rollout/ep_rew_mean" ? data.references : [];
    const span = high - low || Math.abs(high) || 1;
    const inside = references.filter(({ value }) => value >= low - 0.4 * span && value <= high + 0.4 * span);
    for (const { value } of inside) [low, high] = [Math.min(low, value), Math.max(high, value)];
    const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
    [low, high] = [low - room, high + room];

    const width = Math.max(chart.clientWidth, 240), height = Math.round(Math.min(Math.max(width * 0.52, 230), 400));
    const yTicks = ticks(low, high, height / 60), labels = yTicks.map(short);
    const left = 14 + 7 * Math.max(...labels.map((label) => label.length)), right = 20, top = 10, bottom = 42;
    const [unit, unitName] = unitOf(axis, longest);
    const x = (value) => left + value / longest * (width - left - right);
    const y = (value) => top + (high - value) / (high - low) * (height - top - bottom);

    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: isGroup ? "plot group" : "plot", role: "img",
      tabindex: 0, "aria-label": `${metric.name} over ${unitName}; arrow keys move the cursor` });
    const put = (...all) => picture.append(svg(...all));
    yTicks.forEach((value, index) => {
      put("line", { x1: left, x2: width - right, y1: y(value), y2: y(value) });
      put("text", { x: left - 7, y: y(value) + 4, "text-anchor": "end" }, labels[index]);
    });
    for (const value of ticks(0, longest / unit, width / 110)) {
      const place = x(value * unit);
      put("line", { class: "axis", x1: place, x2: place, y1: height - bottom, y2: height - bottom + 5 });
      put("text", { x: place, y: height - bottom + 18, "text-anchor": "middle" }, short(value));
    }
    put("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom });
    put("text", { x: (left + width) / 2, y: height - 6, "text-anchor": "middle" }, unitName);
    for (const { name, value } of inside) {
      put("line", { class: "reference", x1: left, x2: width - right, y1: y(value), y2: y(value) });
      const distance = (index) => Math.min(...lines.map((line) => Math.abs(known(line.y).at(index) - value)));
      const isLeft = distance(0) > distance(-1); // away from the curves
      const place = isLeft ? { x: left + 6 } : { x: width - right - 6, "text-anchor": "end" };
      put("text", { ...place, class: "reference", y: y(value) - 5 }, `${name} ${plain(value)}`);
    }
    for (const line of lines) {
      if (line.low) {
        const edge = (values) => line.x.map((value, index) => `${x(value)},${y(values[index])}`);
        put("polygon", { class: "band", points: [...edge(line.low), ...edge(line.high).reverse()].join(" ") });
      }
    }
    for (const line of lines) {
      put("path", { class: line.kind === "mean" ? "curve mean" : `curve line${line.kind}`, d: pathOf(line, x, y) });
    }
    const cursor = svg("line", { class: "cursor", y1: top, y2: height - bottom, visibility: "hidden" });
    picture.append(cursor);
    chart.replaceChildren(picture);

    // --- the read-out

    const outside = references.filter((each) => !inside.includes(each));
    const label = axis.column === "seconds" ? clock : (value) => plain(Math.round(value));
    moveTo = (target) => {
      const at = target === null ? longest : target;
      readout.replaceChildren(html("span", `at ${label(at)}${axis.column === "seconds" ? "" : ` ${axis.name}`}`));
      const named = lines.filter((line, index) => line.kind === "mean" || index < NAMED);
      for (const line of named) readout.append(entry(line, at, label));
      if (named.length < lines.length) readout.append(html("span", `and ${lines.length - named.length} more`));
      if (target === null && outside.length) {
        const texts = outside.map(({ name, value }) => `${name} ${plain(value)}`);
        readout.append(html("span", `outside of the picture: ${texts.join(", ")}`));
      }
      cursor.setAttribute("visibility", target === null ? "hidden" : "visible");
      cursor.setAttribute("x1", x(at));
      cursor.setAttribute("x2", x(at));
    };
    const point = (event) => {
      const box = picture.getBoundingClientRect();
      const value = ((event.clientX - box.left) * width / box.width - left) / (width - left - right) * longest;
      moveTo(Math.min(Math.max(value, 0), longest));
    };
    picture.addEventListener("pointermove", point);
    picture.addEventListener("pointerdown", point);
    picture.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && moveTo(null));
    let place = longest;
    picture.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -longest / 100, ArrowRight: longest / 100 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      place = Math.min(Math.max(place + step, 0), longest);
      moveTo(place);
    });
    picture.addEventListener("blur", () => moveTo(null));
    moveTo(null);
    title.textContent = [metric.name, metric.meaning].filter(Boolean).join(": ");
  }

  function pathOf(line, x, y) {
    let path = "", isOpen = false;
    line.x.forEach((value, index) => {
      const height = line.y[index];
      if (value === null || height === null || height === undefined) { isOpen = false; return; }
      const point = `${x(value).toFixed(1)} ${y(height).toFixed(1)}`;
      path += isOpen ? `L${point}` : `M${point}h0`; // h0: a point without neighbours is a dot
      isOpen = true;
    });
    return path;
  }

  // The last point of `line` up to `at`, as in a table of rows.
  function entry(line, at, label) {
    let found = -1;
    line.x.forEach((value, index) => { if (value !== null && value <= at && line.y[index] != null) found = index; });
    const mark = svg("svg", { viewBox: "0 0 12 7", "aria-hidden": "true" });
    mark.append(svg("rect", { class: `dot${line.kind}`, y: 1.5, width: 12, height: 4, rx: 2 }));
    const made = html("span");
    made.append(mark, `${line.name} `, html("b", found < 0 ? "–" : plain(line.y[found])));
    if (found >= 0 && line.low) made.append(` [${plain(line.low[found])}, ${plain(line.high[found])}]`);
    if (found >= 0 && found === line.x.length - 1 && line.x[found] < at) made.append(` at ${label(line.x[found])}`);
    return made;
  }

  draw();
  let last = chart.clientWidth;
  new ResizeObserver(() => {
    if (chart.clientWidth !== last) { last = chart.clientWidth; draw(); }
  }).observe(chart);

  const details = document.querySelectorAll("details");
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...details].filter((each) => !each.open);
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of closed) each.open = false; });
})();
