// Figures over the releases, as pictures and as a table. A picture is as wide as its place.

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [360, 170, 52, 10, 10, 24];

const packageSize = (index) => (release) => packagesOf(release)[index]?.size;

/** Return the share in percent of the calls of known outcome that failed; undefined if there are none. */
function errorRate(figures) {
  const known = figures && figures.calls - (figures.unknown ?? 0);
  return known ? (100 * figures.errors) / known : undefined;
}

const CHARTS = [
  { id: "function", title: "Function package", of: packageSize(0), words: size, fromZero: false, lacks: "the manifest is missing" },
  { id: "layer", title: "Layer package", of: packageSize(1), words: size, fromZero: false, lacks: "there is no layer, or the manifest is missing" },
  { id: "init", title: "Cold start: init duration, median", of: (release) => release.figures?.init,
    words: (ms) => `${Math.round(ms)} ms`, fromZero: true, lacks: "the log has no cold start" },
  { id: "errors", title: "Error rate", of: (release) => errorRate(release.figures),
    words: (percent) => `${percent.toFixed(percent && percent < 10 ? 2 : 0)} %`, fromZero: true, lacks: "the log has no call" },
];

function draw(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Return the lowest and highest value that an axis shows. */
function range(values, fromZero) {
  const [low, high] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  if (fromZero) return [0, (high || 1) * 1.1];
  const margin = (high - low) * 0.15 || high * 0.05 || 1;
  return [Math.max(0, low - margin), high + margin];
}

/** Return a chart: its picture is a slider, along which the releases are read out. */
function chart({ id, title, of, words, fromZero, lacks }, releases) {
  const oldestFirst = releases.toReversed();
  const points = oldestFirst.map((release, x) => ({ release, x, value: of(release) })).filter((point) => point.value !== undefined);
  const missing = releases.length - points.length;
  const figure = make("figure", { id: `chart-${id}` }, make("figcaption", {}, make("h3", {}, title)));
  if (missing) {
    figure.lastChild.append(make("p", { class: "quiet" }, `${count.format(missing)} of ${plural(releases.length, "release")} ${missing === 1 ? "has" : "have"} no figure: ${lacks}.`));
  }
  if (!points.length) return figure;
  const [low, high] = range(points.map((point) => point.value), fromZero);
  const last = Math.max(1, oldestFirst.length - 1);
  const px = (point) => LEFT + ((WIDTH - LEFT - RIGHT) * point.x) / last;
  const py = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (value - low)) / (high - low);
  const at = (point) => `${px(point).toFixed(1)} ${py(point.value).toFixed(1)}`;
  const dots = (kind) => points.filter((point) => point.release.kind === kind).map((point) => `M${at(point)}h0`).join("");
  // A release without a figure is a gap in the line.
  const line = points.map((point, index) => `${index && points[index - 1].x === point.x - 1 ? "L" : "M"}${at(point)}`).join("");
  const marker = draw("circle", { r: 5, class: "marker" });
  const picture = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
    ...axis(low, high, py, words, fromZero),
    draw("text", { x: LEFT, y: HEIGHT - 6 }, String(oldestFirst[0].number)),
    draw("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, class: "end" }, oldestFirst.length > 1 ? `release ${oldestFirst.at(-1).number}` : ""),
    draw("path", { d: line, class: "line" }),
    draw("path", { d: dots("deploy"), class: points.length > 150 ? "dots many" : "dots" }),
    draw("path", { d: dots("rollback"), class: points.length > 150 ? "dots rollbacks many" : "dots rollbacks" }),
    marker);
  const plot = make("div", { class: "plot", role: "slider", tabindex: "0", "aria-label": `${title}, by release`, "aria-valuemin": "0", "aria-valuemax": points.length - 1 }, picture);
  const readout = make("p", { class: "readout", "aria-hidden": "true" });
  let chosen;
  const choose = (index) => {
    chosen = Math.min(points.length - 1, Math.max(0, index));
    const { release, value } = points[chosen];
    const text = `Release ${release.number}, ${kindOf(release)}: ${words(value)}`;
    marker.setAttribute("cx", px(points[chosen]).toFixed(1));
    marker.setAttribute("cy", py(value).toFixed(1));
    readout.textContent = text;
    plot.setAttribute("aria-valuenow", chosen);
    plot.setAttribute("aria-valuetext", text);
  };
  plot.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    const wanted = ((x - LEFT) / (WIDTH - LEFT - RIGHT)) * last;
    choose(nearest(points, wanted));
  });
  plot.addEventListener("keydown", (event) => {
    const page = Math.max(2, Math.round(points.length / 10));
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -page, PageUp: page, Home: -points.length, End: points.length };
    if (event.key === "Enter") location.hash = `release-${points[chosen].release.number}`;
    else if (event.key in steps) choose(chosen + steps[event.key]);
    else return;
    event.preventDefault();
  });
  choose(points.length - 1);
  figure.append(plot, readout);
  return figure;
}

/** Return the index of the point that is nearest to a place on the axis. */
function nearest(points, wanted) {
  let [low, high] = [0, points.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle].x < wanted) low = middle;
    else high = middle;
  }
  return wanted - points[low].x < points[high].x - wanted ? low : high;
}

function* axis(low, high, py, words, fromZero) {
  const ticks = fromZero ? [0, high / 2.2, high / 1.1] : [low, (low + high) / 2, high];
  const differ = (more) => new Set(ticks.map((value) => words(value, more))).size === ticks.length;
  const more = [0, 1, 2].find(differ) ?? 0;
  for (const value of ticks) {
    const y = py(value).toFixed(1);
    yield draw("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "grid" });
    yield draw("text", { x: LEFT - 6, y: Number(y) + 4, class: "end" }, words(value, more));
  }
}

function showCharts() {
  if (!data.releases.length) {
    $("figures-source").textContent = "There are no releases yet.";
    $("numbers").hidden = true;
    return;
  }
  $("figures-source").textContent =
    "By release, the oldest on the left; squares are rollbacks. Cold starts and errors are those of each release's " +
    `first calls in the function's log, which was read ${data.hours < 48 ? plural(data.hours, "hour") : plural(Math.round(data.hours / 24), "day")} back.`;
  const limit = $("limit");
  const drawCharts = () => {
    const releases = data.releases.slice(0, Number(limit.value) || undefined);
    $("charts").replaceChildren(...CHARTS.map((each) => chart(each, releases)));
  };
  limit.addEventListener("change", drawCharts);
  limit.closest("form").hidden = data.releases.length <= Number(limit.options[0].value);
  drawCharts();
  const numbers = $("numbers");
  numbers.addEventListener("toggle", () => {
    const target = numbers.querySelector("div");
    if (!numbers.open || target.children.length) return;
    const columns = ["Release", "Kind", ...CHARTS.map(({ title }) => `#${title}`), "#Calls"];
    target.append(table("Figures of each release", columns, data.releases, (release) => [
      linkTo(release.number), kindOf(release),
      ...CHARTS.map(({ of, words }) => (of(release) === undefined ? "not known" : words(of(release)))),
      release.figures ? count.format(release.figures.calls) : "not known",
    ]));
  });
}
