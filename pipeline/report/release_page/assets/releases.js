// What is live, and the list of releases with its filter.

const AT_ONCE = 20;
// With fewer releases than this, nobody has to search.
const FILTERED_FROM = 10;

const ICONS = {
  deploy: ["Deployment", "M8 13V4M4 7.5 8 3.5l4 4"],
  rollback: ["Rollback", "M3.5 3.5v4h4M4 7.2A4.7 4.7 0 1 1 3.6 10"],
};

/** Return the picture of a deployment or a rollback, with its name for who does not see it. */
function icon({ kind }) {
  const [name, path] = ICONS[kind];
  return make("span", { class: `icon ${kind}`, role: "img", "aria-label": name, title: name },
    draw("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, draw("path", { d: path })));
}

function badge(text, kind) {
  return make("span", { class: `badge ${kind}` }, text);
}

const rounded = (percent) => Number(percent.toFixed(2));

const sharesOf = (release) => data.shares.filter((share) => share.release === release.number);

/** Return what a release is now, as a class and in words: live, a canary, superseded, rolled back, failed. */
function stateOf(release) {
  const percent = sharesOf(release).reduce((sum, share) => sum + share.percent, 0);
  const all = percent > 99.99;
  if (release.outcome === "under way") return ["under-way", percent ? `Canary ${rounded(percent)} %` : "Under way"];
  if (release.outcome !== "succeeded") {
    const word = release.outcome === "failed" ? "Failed" : "Interrupted";
    return [release.outcome, percent ? `${word}, has ${rounded(percent)} %` : word];
  }
  if (percent) return ["live", all ? "Live" : `Live ${rounded(percent)} %`];
  return rolledBack.has(release) ? ["rolled-back", "Rolled back"] : ["superseded", "Superseded"];
}

/** Return how many seconds a release took: of a rollback, until traffic was back. */
function took(release) {
  const phases = release.phases.map(([name, seconds]) => [data.phases[name], seconds]);
  const last = release.kind === "rollback" ? phases.findIndex(([name]) => name === "switch") : -1;
  const seconds = (last < 0 ? phases : phases.slice(0, last + 1)).reduce((sum, [, each]) => sum + each, 0);
  if (last >= 0) return seconds;
  // A release is in the ledger from its plan on; its first phases come before.
  return release.ended && Math.max(seconds, (Date.parse(release.ended) - Date.parse(release.began)) / 1000);
}

function tookInWords(release) {
  const seconds = took(release);
  if (seconds === undefined) return undefined;
  return release.kind === "rollback" && release.outcome === "succeeded"
    ? `traffic back after ${duration(seconds)}` : `took ${duration(seconds)}`;
}

/** Return the time when a release began: its first phase, which comes before its record. */
function beganAt(release) {
  const seconds = release.kind === "deploy" && took(release);
  return seconds ? new Date(Date.parse(release.ended) - 1000 * seconds).toISOString() : release.began;
}

/** Return the line by which a release is recognised. */
function headline(release) {
  if (release.kind === "rollback") return `Rollback to #${release.restores ?? "?"}`;
  return release.subject ?? release.reason ?? `Bundle ${short(bundleOf(release).id)}`;
}

/** Return terms and what they mean; those without a meaning are left out. */
function terms(pairs) {
  const known = pairs.filter(([, meaning]) => meaning !== undefined && meaning !== "");
  return make("dl", {}, known.map(([term, meaning]) =>
    make("div", {}, make("dt", {}, term), make("dd", {}, meaning)),
  ));
}

function runLink(release) {
  if (!release.run) return undefined;
  // Anything but an address of the web stays text.
  return /^https:\/\//.test(release.run) ? outside(release.run, "Workflow run") : release.run;
}

function* notices() {
  for (const { name, sentence, believe, command: repair, otherwise } of data.states) {
    yield make("div", { class: "notice" },
      make("p", {}, make("strong", {}, name), `: ${sentence}.`, believe ? ` Believe ${believe}.` : ""),
      command(repair), otherwise ? make("p", {}, `Or ${otherwise}`) : "");
  }
  const newest = data.releases[0];
  const words = { failed: "failed", interrupted: "was interrupted", "under way": "was under way when this page was made" };
  if (newest && newest.outcome in words && !data.states.some(({ sentence }) => sentence.includes(`#${newest.number}`))) {
    yield make("p", { class: "notice" }, "The newest release, ", linkTo(newest.number), ` by ${newest.actor}, ${words[newest.outcome]}.`);
  }
}

/** Return which versions get the traffic, as a bar and in words. */
function traffic() {
  const bar = make("div", { class: "shares", "aria-hidden": "true" }, data.shares.map(({ percent }) => {
    const part = make("span");
    part.style.inlineSize = `${percent}%`;
    return part;
  }));
  const words = data.shares.map(({ version, release, percent }) => make("li", {}, make("strong", {}, `${rounded(percent)} %`),
    ` v${version}, `, release === undefined ? "which no release has" : linkTo(release)));
  return make("div", { class: "traffic" }, make("h3", {}, "Traffic"), bar, make("ul", {}, words));
}

/** Return the addresses of the API, its log, its dashboard, and the job that made the release. */
function links(release) {
  const names = { api: "API", log: "Log", dashboard: "Dashboard" };
  const known = Object.entries(data.links).filter(([, address]) => /^https?:\/\//.test(address));
  const all = known.map(([name, address]) => outside(address, names[name]));
  const run = /^https:\/\//.test(release.run ?? "") ? [runLink(release)] : [];
  return make("ul", { class: "links" }, [...all, ...run].map((each) => make("li", {}, each)));
}

/** Return the figures of a release's first calls in a line. */
function callsOf({ figures }) {
  if (!figures) return undefined;
  const rate = errorRate(figures);
  const errors = `${plural(figures.errors, "error")}${rate === undefined ? "" : ` (${percent(rate)})`}`;
  const texts = [`${plural(figures.calls, "call")}: `, figures.errors ? make("strong", { class: "bad" }, errors) : errors];
  if (figures.unknown) texts.push(`, ${count.format(figures.unknown)} without a status in the log`);
  if (figures.p95 !== undefined) texts.push(`, p95 ${milliseconds(figures.p95)}`);
  if (figures.memory !== undefined) texts.push(`, ${figures.memory} MB of memory at most`);
  return make("span", {}, texts);
}

function showLive() {
  const body = $("live-body");
  body.append(...notices());
  const [first] = data.shares;
  const release = byNumber.get(first?.release);
  if (!release) {
    const text = first ? `v${first.version} gets the traffic, and no release has it.`
      : data.serving ? "Nothing is live." : `Nothing was released to ${data.environment} yet.`;
    body.append(make("p", { class: "empty" }, text));
    return;
  }
  const [kind, state] = stateOf(release);
  body.append(
    make("div", { class: `card ${kind}` },
      make("p", { class: "headline" }, icon(release), make("a", { href: `#release-${release.number}` }, `#${release.number}`),
        make("span", {}, headline(release)), badge(state, kind)),
      make("p", { class: "meta" }, items([
        `v${first.version}`, age(release.ended ?? release.began), release.actor, release.commit && commitOf(release)])),
      headline(release) !== release.reason && release.reason ? make("p", { class: "why" }, release.reason) : "",
      release.figures ? make("p", { class: "quiet calls" }, "First ", callsOf(release)) : "",
      data.shares.length > 1 ? traffic() : "",
      links(release),
      data.wayBack === null
        ? make("p", { class: "no-way-back" }, make("strong", {}, "No release to roll back to. "), data.noWayBack)
        : [make("h3", {}, "Roll back to ", linkTo(data.wayBack)), ...wayBack(data.wayBack)]),
  );
}

/** Return what there is of a list, for one line. */
const items = (texts) => texts.filter((text) => text !== undefined && text !== "").map((text) => make("span", {}, text));

/** Return everything about a release that is searched, in small letters. */
function searched(release) {
  const { number, version, actor, commit, reason, error, overrides = [] } = release;
  const quarantined = bundleOf(release).quarantined ? "quarantine" : "";
  const words = [`#${number}`, `v${version}`, release.subject, stateOf(release)[1], release.began, kindOf(release), release.outcome, quarantined];
  return [...words, bundleOf(release).id, actor, commit, reason, error, ...overrides].join("\n").toLowerCase();
}

const texts = data.releases.map(searched);
let found = data.releases;

/** Show the releases that fit what the form asks for, the newest first, so many of them. */
function filter(form) {
  const text = form.text.value.trim().toLowerCase();
  found = data.releases.filter((release, index) =>
    (!form.kind.value || release.kind === form.kind.value) &&
    (!form.outcome.value || release.outcome === form.outcome.value) &&
    (!text || texts[index].includes(text)));
  $("list").replaceChildren();
  const all = found.length === data.releases.length;
  $("count").textContent = all
    ? plural(found.length, "release")
    : `${count.format(found.length)} of ${plural(data.releases.length, "release")}`;
  showMore();
}

function showMore(until = $("list").children.length + AT_ONCE) {
  const from = $("list").children.length;
  $("list").append(...found.slice(from, until).map(row));
  const left = found.length - $("list").children.length;
  $("more").hidden = left <= 0;
  $("more").textContent = `Show ${Math.min(left, AT_ONCE)} more of ${count.format(left)}`;
}

function row(release) {
  const body = make("div", { class: "detail" });
  const [kind, state] = stateOf(release);
  const old = before(release);
  const open = () => {
    if (details.open && !body.children.length) body.append(...detail(release));
  };
  const line = headline(release);
  const why = release.reason ?? release.error ?? "no reason given";
  const details = make("details", { id: `release-${release.number}`, class: kind, ontoggle: open },
    make("summary", {},
      icon(release),
      make("span", { class: "what" },
        make("span", { class: "title" }, make("span", { class: "number" }, `#${release.number}`), " ", make("span", { class: "subject" }, line)),
        line === release.reason ? "" : make("span", { class: "reason" }, why),
        make("span", { class: "meta" }, items([
          release.version && `v${release.version}`, age(release.ended ?? release.began), tookInWords(release), release.actor,
          release.commit && code(shortCommit(release.commit, 7)),
          old && release.kind === "deploy" && packagesOf(release).length ? inSentence(compareBundles(old, release), old, release) : undefined]))),
      make("span", { class: "badges" },
        badge(state, kind),
        bundleOf(release).quarantined ? badge("In quarantine", "quarantine") : "",
        (release.overrides ?? []).map((each) => badge(each, "overrides")))),
    body);
  return make("li", {}, details);
}

function* detail(release) {
  const bundle = bundleOf(release);
  const figures = release.figures;
  const rollback = release.kind === "rollback";
  yield terms([
    ["Kind", kindOf(release)],
    ["Outcome", release.outcome],
    ["Reason", release.reason ?? "none given"],
    ["By", release.actor],
    ["Began", !rollback && when(beganAt(release))],
    [rollback && release.outcome === "succeeded" ? "Traffic back" : "Ended", release.ended && make("span", {}, when(release.ended), `, ${tookInWords(release)}`)],
    ["Version", release.version && `v${release.version}`],
    ["Restores", release.restores && linkTo(release.restores)],
    ["Commit", release.commit && make("span", {}, commitOf(release, code(release.commit)), release.subject ? ` ${release.subject}` : "")],
    ["Bundle", code(bundle.id)],
    ["Run", runLink(release)],
    ["Options", release.overrides?.join(", ")],
    ["Quarantine", bundle.quarantined],
    ["First calls", callsOf(release)],
    ["Init duration", figures?.init !== undefined ? `${Math.round(figures.init)} ms, median of ${plural(figures.cold, "cold start")}` : undefined],
  ].filter(([, meaning]) => meaning));
  if (release.error) yield make("pre", { "aria-label": "Error", role: "group", tabindex: "0" }, release.error);
  yield* files(release);
  yield* phases(release);
  yield* back(release);
  yield make("p", { class: "buttons" }, compareButtons(release));
}

function* phases(release) {
  if (!release.phases.length) return;
  const total = release.phases.reduce((sum, [, seconds]) => sum + seconds, 0);
  const rows = release.phases.map(([name, seconds]) => {
    const bar = make("span", { class: "bar", "aria-hidden": "true" });
    bar.style.inlineSize = `${total ? (100 * seconds) / total : 0}%`;
    return [data.phases[name], make("span", {}, seconds.toFixed(1)), make("span", { class: "track" }, bar)];
  });
  yield table("Phases", ["Phase", "~Seconds", "Share"], rows);
}

function* files(release) {
  yield make("h3", {}, "What changed");
  const packages = packagesOf(release);
  if (!packages.length) {
    yield make("p", {}, "The manifest of this bundle is damaged in the store, or missing.");
    return;
  }
  const old = before(release);
  const difference = old && compareBundles(old, release);
  yield make("p", {}, old ? ["From ", linkTo(old.number), ", which served before: ", inSentence(difference, old, release), "."] : "No release served before.");
  if (old) yield* lines(old, release);
  if (difference?.files.length) yield changedFiles(difference, `Files that differ from #${old.number}`, sourceOf(old, release));
  yield make("h3", {}, "Packages");
  for (const each of packages) {
    const list = make("details", { class: "files", ontoggle: () => {
      if (list.open && list.children.length === 1) list.append(allFiles(each, difference));
    } }, make("summary", {}, code(each.name), ` ${size(each.size)}, ${plural(each.files.length, "file")}`));
    yield list;
  }
}

function allFiles(each, difference) {
  const how = new Map(difference?.files.map((file) => [`${file.package} ${file.path}`, file.how]));
  return table(`Every file in ${each.name}`, ["File", "~Size", "sha256", "Change"], each.files, (index) => {
    const [path, bytes, digest] = data.files[index];
    return [code(path), size(bytes), code(digest), difference?.known ? how.get(`${each.name} ${path}`) ?? "same" : "not known"];
  });
}

function* back(release) {
  if (release.restore === undefined) return;
  yield make("h3", {}, `Roll back to #${release.number}`);
  if (release.restore !== true) yield make("p", {}, release.restore);
  else {
    if (bundleOf(release).quarantined) yield make("p", { class: "notice" }, "This bundle is in quarantine. A rollback by number restores it, and takes a reason.");
    yield* wayBack(release.number);
    yield make("p", { class: "quiet" }, `To check it first without changes, add --dry-run${data.rollback.length > 1 ? ", or -f dry-run=true" : ""}.`);
  }
}

/** Open a release in the list, whatever the filter hides. */
function show(number) {
  const release = byNumber.get(number);
  if (!release) return;
  if (!found.includes(release)) {
    $("filter").reset();
    filter($("filter"));
  }
  const index = found.indexOf(release);
  if (index >= $("list").children.length) showMore(index + 1);
  const details = $(`release-${number}`);
  details.open = true;
  details.scrollIntoView();
  details.querySelector("summary").focus({ preventScroll: true });
}
