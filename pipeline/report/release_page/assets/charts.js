// Figures over the releases, as pictures and as a table. A picture is as wide as its place.

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [320, 112, 52, 8, 8, 20];

const packageSize = (index) => (release) => packagesOf(release)[index]?.size;

/** Return the share in percent of the calls of known outcome that failed; undefined if there are none. */
function errorRate(figures) {
  const known = figures && figures.calls - (figures.unknown ?? 0);
  return known ? (100 * figures.errors) / known : undefined;
}

const milliseconds = (ms) => `${ms && ms < 10 ? ms.toFixed(1) : count.format(Math.round(ms))} ms`;

const percent = (value) => `${value.toFixed(value && value < 10 ? 2 : 0)} %`;

// What callers meet comes first. Every axis begins at 0.
const CHARTS = [
  { id: "errors", title: "Error rate", of: (release) => errorRate(release.figures), words: percent, lacks: "the log has no call" },
  { id: "p95", title: "Duration, p95 of warm calls", short: "p95", of: (release) => release.figures?.p95, words: milliseconds, lacks: "the log has no warm call" },
  { id: "init", title: "Init duration, median of cold starts", short: "Init", of: (release) => release.figures?.init, words: milliseconds, lacks: "the log has no cold start" },
  { id: "function", title: "Function package", of: packageSize(0), words: size, differs: true, lacks: "the manifest is missing" },
  { id: "layer", title: "Layer package", of: packageSize(1), words: size, differs: true, lacks: "there is no layer, or the manifest is missing" },
];

/** Return a chart: its picture is a slider, along which the releases are read out. */
function chart({ id, title, of, words, differs, lacks }, releases) {
  const oldestFirst = releases.toReversed();
  const points = oldestFirst.map((release, x) => ({ release, x, value: of(release) })).filter((point) => point.value !== undefined);
  const missing = releases.length - points.length;
  const figure = make("figure", { id: `chart-${id}` }, make("figcaption", {}, make("h3", {}, title)));
  const lacking = missing
    ? make("p", { class: "quiet lacking" }, `${count.format(missing)} of ${plural(releases.length, "release")} ${missing === 1 ? "has" : "have"} no figure: ${lacks}.`) : "";
  if (!points.length) {
    figure.append(lacking);
    return figure;
  }
  const top = points.reduce((most, { value }) => Math.max(most, value), 0) || 1;
  const last = Math.max(1, oldestFirst.length - 1);
  const px = (point) => LEFT + ((WIDTH - LEFT - RIGHT) * point.x) / last;
  const py = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / top;
  const at = (point) => `${px(point).toFixed(1)} ${py(point.value).toFixed(1)}`;
  const dots = (kind) => points.filter((point) => point.release.kind === kind).map((point) => `M${at(point)}h0`).join("");
  // A release without a figure is a gap in the line.
  const line = points.map((point, index) => `${index && points[index - 1].x === point.x - 1 ? "L" : "M"}${at(point)}`).join("");
  const marker = draw("circle", { r: 5, class: "marker" });
  const picture = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
    ...axis(top, py, words),
    draw("text", { x: LEFT, y: HEIGHT - 6 }, `#${oldestFirst[0].number}`),
    draw("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, class: "end" }, oldestFirst.length > 1 ? `#${oldestFirst.at(-1).number}` : ""),
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
    const text = `#${release.number}, ${kindOf(release)}: ${words(value)}${differs ? against(points[chosen - 1]?.value, value) : ""}`;
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
  figure.append(plot, readout, lacking);
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

/** Return in words how much larger a package is than the one before. */
function against(old, now) {
  if (old === undefined) return "";
  if (old === now) return ", as large as before";
  return `, ${now > old ? "+" : "−"}${size(Math.abs(now - old))}`;
}

function* axis(top, py, words) {
  for (const value of [0, top]) {
    const y = py(value).toFixed(1);
    yield draw("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "grid" });
    yield draw("text", { x: LEFT - 6, y: Number(y) + 4, class: "end" }, words(value));
  }
}

function showCharts() {
  if (!data.releases.length) {
    $("figures-source").textContent = "There are no releases yet.";
    $("numbers").hidden = true;
    return;
  }
  const span = data.hours < 48 ? plural(data.hours, "hour") : plural(Math.round(data.hours / 24), "day");
  $("figures-source").textContent =
    "The oldest release is on the left; squares are rollbacks. Errors and durations are those of each release's " +
    `first calls in the log of the last ${span}.`;
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
    const [calls, packages] = [CHARTS.slice(0, 3), CHARTS.slice(3)];
    const columns = (charts) => charts.map((each) => `~${each.short ?? each.title}`);
    const cells = (charts, release) => charts.map(({ of, words }) => (of(release) === undefined ? "–" : words(of(release))));
    target.append(
      table("First calls of each release", ["Release", ...columns(calls), "~Calls"], data.releases, (release) =>
        [linkTo(release.number), ...cells(calls, release), release.figures ? count.format(release.figures.calls) : "–"]),
      table("Packages of each release", ["Release", ...columns(packages)], data.releases, (release) =>
        [linkTo(release.number), ...cells(packages, release)]));
  });
}
