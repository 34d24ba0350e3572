// What is live, and the list of releases with its filter.

const AT_ONCE = 40;

const MARKS = { succeeded: "✓", failed: "✕", interrupted: "!", "under way": "…" };

function badge(text, kind) {
  return make("span", { class: `badge ${kind}` }, text);
}

function outcomeBadge(release) {
  const mark = make("span", { "aria-hidden": "true" }, `${MARKS[release.outcome]} `);
  return make("span", { class: `badge ${release.outcome.replace(" ", "-")}` }, mark, release.outcome);
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
  return /^https:\/\//.test(release.run)
    ? make("a", { href: release.run, rel: "noreferrer" }, "the job that did it")
    : release.run;
}

/** Return what needs a person, as `status` says it, each with the command that repairs it. */
function warnings() {
  const found = data.states.map(({ name, sentence, command: repair }) =>
    make("div", { class: "notice" }, make("p", {}, make("strong", {}, name), `: ${sentence}.`), command(repair)),
  );
  const newest = data.releases[0];
  if (newest && newest.outcome !== "succeeded") {
    const words = { failed: "failed", interrupted: "was interrupted", "under way": "was under way when this page was made" };
    found.push(make("p", { class: "notice" }, `The newest release, ${newest.number} by ${newest.actor}, ${words[newest.outcome]}.`));
  }
  return found;
}

function showLive() {
  const body = $("live-body");
  const release = served.find((each) => data.live && each.version === data.live.version);
  body.append(...warnings());
  if (!release) {
    const gone = data.live ? `Live points to version ${data.live.version}, which no release has.` : "";
    body.append(make("p", { class: "empty" }, gone || `Nothing was released to ${data.environment} yet.`));
    return;
  }
  const since = release.ended ?? release.began;
  body.append(
    make("div", { class: "card" },
      make("p", { class: "headline" }, make("a", { href: `#release-${release.number}` }, `Release ${release.number}`),
        " serves, as version ", data.live.version),
      make("p", {}, "since ", when(since), make("span", { class: "quiet" }, ` UTC, ${ago(since)}`),
        ", by ", make("strong", {}, release.actor)),
      terms([
        ["Reason", release.reason ?? "none given"],
        ["Kind", kindOf(release)],
        ["Bundle", code(short(bundleOf(release).id))],
        ["Commit", release.commit && code(short(release.commit))],
      ]),
      make("h3", {}, "If it is bad"),
      data.wayBack === null
        ? make("p", {}, "There is no release to go back to.")
        : [make("p", {}, "This goes back to ", linkTo(data.wayBack), ":"), ...wayBack(data.wayBack)]),
  );
}

/** Return everything about a release that is searched, in small letters. */
function searched(release) {
  const { number, version, actor, commit, reason, error, overrides = [] } = release;
  const quarantined = bundleOf(release).quarantined ? "quarantine" : "";
  const words = [`#${number}`, `version ${version}`, release.began, kindOf(release), release.outcome, quarantined];
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
  const isLive = data.live && release.number === data.serving && release.version === data.live.version;
  const open = () => {
    if (details.open && !body.children.length) body.append(...detail(release));
  };
  const details = make("details", { id: `release-${release.number}`, class: release.outcome.replace(" ", "-"), ontoggle: open },
    make("summary", {},
      make("span", { class: "number" }, String(release.number)),
      make("span", { class: "what" },
        make("span", { class: "badges" },
          make("span", { class: "kind" }, kindOf(release)),
          outcomeBadge(release),
          isLive ? badge("live", "live") : "",
          bundleOf(release).quarantined ? badge("in quarantine", "quarantine") : "",
          (release.overrides ?? []).map((each) => badge(each, "overrides"))),
        make("span", { class: "reason" }, release.reason ?? release.error ?? "no reason given")),
      make("span", { class: "who" }, when(release.began), " ", make("span", {}, release.actor))),
    body);
  return make("li", {}, details);
}

function* detail(release) {
  const bundle = bundleOf(release);
  const took = release.ended && duration((Date.parse(release.ended) - Date.parse(release.began)) / 1000);
  const figures = release.figures;
  yield terms([
    ["Reason", release.reason ?? "none given"],
    ["By", release.actor],
    ["Began", when(release.began)],
    ["Ended", release.ended && make("span", {}, when(release.ended), `, after ${took}`)],
    ["Version", release.version],
    ["Restores", release.restores && linkTo(release.restores)],
    ["Commit", release.commit && code(release.commit)],
    ["Bundle", code(bundle.id)],
    ["Run", runLink(release)],
    ["Unusual", release.overrides?.join(", ")],
    ["Quarantine", bundle.quarantined],
    ["Its first calls", figures && `${count.format(figures.calls)}, of which ${count.format(figures.errors)} failed${figures.unknown ? `, and ${count.format(figures.unknown)} ended without a status in the log` : ""}`],
    ["Init duration", figures?.init !== undefined ? `${Math.round(figures.init)} ms (median of ${figures.cold})` : undefined],
  ]);
  if (release.error) yield make("pre", { "aria-label": "What failed", role: "group" }, release.error);
  yield* phases(release);
  yield* files(release);
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
  yield table(`Phases, ${duration(total)} together`, ["Phase", "#Seconds", "Share"], rows);
}

function* files(release) {
  yield make("h3", {}, "Packages");
  const packages = packagesOf(release);
  if (!packages.length) {
    yield make("p", {}, "The manifest of this bundle is damaged in the store, or missing.");
    return;
  }
  const old = before(release);
  const difference = old && compareBundles(old, release);
  yield make("p", {}, old ? ["Against ", linkTo(old.number), ", which served before: ", inSentence(difference), "."] : "Nothing served before.");
  if (difference?.files.length) yield changedFiles(difference, `Files that are different from release ${old.number}`);
  for (const each of packages) {
    const list = make("details", { class: "files", ontoggle: () => {
      if (list.open && list.children.length === 1) list.append(allFiles(each, difference));
    } }, make("summary", {}, code(each.name), ` ${size(each.size)}, ${plural(each.files.length, "file")}`));
    yield list;
  }
}

function allFiles(each, difference) {
  const how = new Map(difference?.files.map((file) => [`${file.package} ${file.path}`, file.how]));
  return table(`Every file in ${each.name}`, ["File", "#Size", "sha256", "Since before"], each.files, (index) => {
    const [path, bytes, digest] = data.files[index];
    return [code(path), size(bytes), code(digest), difference?.known ? how.get(`${each.name} ${path}`) ?? "same" : "not known"];
  });
}

function* back(release) {
  if (release.restore === undefined) return;
  yield make("h3", {}, "Go back to it");
  if (release.restore !== true) yield make("p", {}, release.restore);
  else {
    if (bundleOf(release).quarantined) yield make("p", { class: "notice" }, "This bundle is in quarantine. It is restored for whoever asks for it by number.");
    yield* wayBack(release.number);
    yield make("p", { class: "quiet" }, "To check it first without changes, add --dry-run, or -f dry-run=true.");
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
