"use strict";

// What all parts share: the data, elements made of text (never of markup), words and figures.

const data = JSON.parse(document.getElementById("data").textContent);
const byNumber = new Map(data.releases.map((release) => [release.number, release]));
const served = data.releases.filter((release) => release.outcome === "succeeded");

// The release that served before each one.
const predecessors = new Map();
let later = [];
for (const release of data.releases) {
  if (release.outcome === "succeeded") {
    for (const each of later) predecessors.set(each, release);
    later = [];
  }
  later.push(release);
}
const before = (release) => predecessors.get(release);

// What each rollback left is no longer superseded by a better one, but rolled back.
const rolledBack = new Set(served.filter(({ kind }) => kind === "rollback").map(before));

const $ = (id) => document.getElementById(id);

/** Return an element with attributes, listeners (`on…`) and children; strings become text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== ""));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

function draw(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const count = new Intl.NumberFormat("en");

const plural = (number, word) => `${count.format(number)} ${word}${number === 1 ? "" : "s"}`;

/** Return a size in bytes, as people read it; with so many digits more, as sizes that are alike need. */
function size(bytes, more = 0) {
  if (bytes < 10_000) return `${count.format(Math.round(bytes))} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1 + more)} KB`;
  return `${(bytes / 1_000_000).toFixed(2 + more)} MB`;
}

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Return how long ago a moment is. */
function ago(moment) {
  const minutes = Math.max(0, Math.round((Date.now() - Date.parse(moment)) / 60_000));
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  if (hours < 48) return `${hours} h ago`;
  const days = Math.round(hours / 24);
  return days < 60 ? `${days} days ago` : `${Math.round(days / 30.4)} months ago`;
}

const inWords = (moment) => `${moment.slice(0, 10)} ${moment.slice(11, 16)}`;

const when = (moment) => make("time", { datetime: moment }, inWords(moment), " UTC");

/** Return an age that is brought up to date each minute; the time itself is its title. */
const age = (moment) => make("time", { datetime: moment, class: "age", title: `${inWords(moment)} UTC` }, ago(moment));

setInterval(() => {
  for (const each of document.querySelectorAll("time.age")) each.textContent = ago(each.dateTime);
}, 60_000);

const short = (digits) => digits.slice(0, 12);

const code = (text) => make("code", {}, text);

const bundleOf = (release) => data.bundles[release.bundle];

/** Return the packages of a release's bundle, or none if its manifest is gone. */
const packagesOf = (release) => (bundleOf(release).packages ?? []).map((each) => data.packages[each]);

const kindOf = (release) =>
  release.kind === "rollback" ? `rollback to #${release.restores ?? "?"}` : "deployment";

const linkTo = (number) => make("a", { href: `#release-${number}` }, `#${number}`);

const outside = (address, ...text) => make("a", { href: address, rel: "noreferrer" }, ...text);

const isCommit = (text) => /^[0-9a-f]{7,64}$/.test(text ?? "");

// Stands behind the commit of a bundle that was built from a tree with uncommitted changes.
const CHANGES = "+changes";

/** Return a commit in as many digits as people compare, with `+changes` if there were any. */
function shortCommit(commit, digits = 12) {
  return commit.endsWith(CHANGES) ? `${commit.slice(0, -CHANGES.length).slice(0, digits)}${CHANGES}` : commit.slice(0, digits);
}

/** Return a commit, which is a link where the repository is known. */
function commitOf({ commit }, text = code(shortCommit(commit))) {
  const id = commit.replace(CHANGES, "");
  return data.repository && isCommit(id) ? outside(`${data.repository}/commit/${id}`, text) : text;
}

/** Return the address of the difference between the commits of two releases, if GitHub has one. */
function compareAddress(old, now) {
  const known = data.repository && isCommit(old.commit) && isCommit(now.commit) && old.commit !== now.commit;
  return known ? `${data.repository}/compare/${old.commit}...${now.commit}` : undefined;
}

function notify(text) {
  $("toast").textContent = text;
}

/** Return a command with a button that copies it. */
function command(text) {
  // A line may end between words, and not within an option: "--" at its end would read as one.
  const words = make("code", {}, text.split(" ").flatMap((word, index) => [index ? " " : "", make("span", {}, word)]));
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      notify("Copied. Replace the dots by your reason.");
    } catch {
      getSelection().selectAllChildren(words);
      notify("Selected. Copy it with the keyboard, and replace the dots by your reason.");
    }
  };
  const button = make("button", { type: "button", onclick: copy, "aria-label": `Copy: ${text}` }, "Copy");
  return make("div", { class: "command" }, words, button);
}

/** Return the commands that roll back to a release: through GitHub, if it deploys here, and at a desk. */
function wayBack(number) {
  const commands = data.rollback.map((text) => text.replace("{release}", number));
  const [desk, github] = commands.reverse();
  if (!github) return [command(desk)];
  return [command(github), make("details", { class: "desk" }, make("summary", {}, "With AWS credentials, without GitHub"), command(desk))];
}

/** Return a table; `rows` are lists of what cells hold; a column of numbers begins with `~`. */
function table(caption, columns, rows, cellOfRow = (row) => row) {
  const head = columns.map((each) =>
    make("th", { scope: "col", class: each.startsWith("~") ? "number" : undefined }, each.replace("~", "")),
  );
  const body = make("tbody");
  const showSome = () => {
    const from = body.rows.length;
    for (const row of rows.slice(from, from + 200)) {
      const cells = cellOfRow(row).map((cell, index) => {
        const kind = columns[index].startsWith("~") ? "number" : undefined;
        return make(index ? "td" : "th", { scope: index ? undefined : "row", class: kind }, cell);
      });
      body.append(make("tr", {}, cells));
    }
    more.hidden = body.rows.length >= rows.length;
    more.textContent = `Show more of ${count.format(rows.length)} rows`;
  };
  const more = make("button", { type: "button", onclick: showSome });
  showSome();
  const grid = make("table", {}, make("caption", {}, make("span", {}, caption)), make("thead", {}, make("tr", {}, head)), body);
  // A table that is wider than a phone scrolls by itself, with the keyboard, too.
  const frame = { class: "scroll", role: "group", "aria-label": caption, tabindex: "0" };
  return make("div", {}, make("div", frame, grid), more);
}
