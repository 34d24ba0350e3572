// The difference between two releases: files, dependencies, and what the bundles are meant for.

/** Return in what two releases' bundles differ; `known` says whether both manifests are there. */
function compareBundles(old, now) {
  const [left, right] = [bundleOf(old), bundleOf(now)];
  const known = Boolean(left.packages && right.packages);
  if (!known) return { known, settings: [], needs: [], packages: [], files: [] };
  const settings = ["runtime", "handler", "architecture"]
    .filter((name) => left[name] !== right[name])
    .map((name) => [name, left[name], right[name]]);
  const needs = [...new Set([...Object.keys(left.needs), ...Object.keys(right.needs)])].sort()
    .filter((name) => left.needs[name] !== right.needs[name])
    .map((name) => [name, left.needs[name] ?? "none", right.needs[name] ?? "none"]);
  const packages = packagePairs(old, now).filter(([a, b]) => a !== b);
  return { known, settings, needs, packages, files: packages.flatMap(([a, b]) => compareFiles(a, b)) };
}

/** Return the packages of two releases, in pairs: one of them can be without a layer. */
function packagePairs(old, now) {
  const [before, after] = [packagesOf(old), packagesOf(now)];
  return [...Array(Math.max(before.length, after.length)).keys()].map((index) => [before[index], after[index]]);
}

/** Return the files that are in one of two packages only, or differ; a file is its number. */
function compareFiles(old, now) {
  const [before, after] = [old, now].map((each) =>
    new Map((each?.files ?? []).map((index) => [data.files[index][0], index])));
  return [...new Set([...before.keys(), ...after.keys()])].sort()
    .filter((path) => before.get(path) !== after.get(path))
    .map((path) => {
      const how = !before.has(path) ? "added" : !after.has(path) ? "removed" : "changed";
      const bytes = (files) => (files.has(path) ? data.files[files.get(path)][1] : undefined);
      return { package: (now ?? old).name, path, how, old: bytes(before), now: bytes(after) };
    });
}

/** Return the source that differs from the release that served before, if that is what is compared. */
const sourceOf = (old, now) => (before(now) === old ? now.source ?? [] : []);

const lineCount = ({ added, removed }) => `+${count.format(added)} −${count.format(removed)} lines`;

/** Return a difference in a few words: lines of source, dependencies, files, settings. */
function inSentence(difference, old, now) {
  if (!difference.known) return "not known, because a manifest is damaged or missing";
  const { needs, settings, files, packages } = difference;
  const source = sourceOf(old, now);
  const others = files.filter((file) => !source.some(({ path }) => path === file.path));
  const texts = source.map((file) => `${file.path} ${lineCount(file)}`);
  texts.push(...needs.map(([name, left, right]) => `${name} ${left} → ${right}`));
  texts.push(...settings.map(([name, left, right]) => `${name} ${left} → ${right}`));
  for (const how of ["added", "removed", "changed"]) {
    const number = others.filter((file) => file.how === how).length;
    if (number) texts.push(`${plural(number, "file")} ${how}`);
  }
  if (packages.length && !files.length) texts.push("the same files, packed in another way");
  return texts.join(", ") || "the same bundle";
}

/** Return what a file's difference comes to, in bytes or in lines. */
function changeOf(file, source) {
  const lines = source.find(({ path }) => path === file.path);
  if (lines) return lineCount(lines);
  if (file.how !== "changed") return size(file.now ?? file.old);
  const more = file.now - file.old;
  return more ? `${more > 0 ? "+" : "−"}${size(Math.abs(more))}` : "same size";
}

function changedFiles({ files }, caption, source) {
  return table(caption, ["File", "How", "~Difference"], files, (file) =>
    [code(file.path), badge(file.how, file.how), changeOf(file, source)]);
}

/** Return the lines of source that differ, where the page has them, or the link to them. */
function* lines(old, now) {
  const address = compareAddress(old, now);
  if (address) yield make("p", {}, outside(address, `The lines that differ, on GitHub`));
  for (const file of sourceOf(old, now)) {
    if (!file.lines) continue;
    const kinds = { "+": "plus", "-": "minus", "@": "place" };
    const text = file.lines.map((line) => make("span", { class: kinds[line[0]] }, `${line}\n`));
    const label = `${file.path}, ${lineCount(file)}`;
    yield make("h4", {}, code(file.path), ` ${lineCount(file)}`);
    yield make("pre", { class: "diff", role: "group", "aria-label": label, tabindex: "0" }, text);
  }
}

/** Return the number of a release in a field: 24 or #24. */
const releaseNumber = (field) => Number(field.value.replace("#", ""));

/** Compare the releases whose numbers the form holds. */
function compare(form) {
  const [old, now] = [form.old, form.new].map((input) => byNumber.get(releaseNumber(input)));
  const target = $("difference");
  target.replaceChildren();
  if (!old || !now) {
    const missing = old ? form.new : form.old;
    $("verdict").textContent = missing.value ? `There is no release #${releaseNumber(missing)}.` : "Enter the numbers of two releases.";
    return;
  }
  const difference = compareBundles(old, now);
  $("verdict").textContent = `From #${old.number} to #${now.number}: ${inSentence(difference, old, now)}.`;
  if (!difference.known) return;
  const [left, right] = [bundleOf(old), bundleOf(now)];
  const columns = ["", `#${old.number}`, `#${now.number}`];
  const bytes = (each) => (each ? size(each.size) : "–");
  const sizes = packagePairs(old, now).map(([a, b]) => [(a ?? b).name, bytes(a), bytes(b)]);
  const rows = [
    ["Bundle", code(short(left.id)), code(short(right.id))],
    ...["runtime", "handler", "architecture"].map((name) => [name[0].toUpperCase() + name.slice(1), left[name], right[name]]),
    ...sizes,
  ];
  target.append(table("Bundles", ["What", ...columns.slice(1)], rows));
  if (difference.needs.length) target.append(table("Dependencies with another version", ["Name", ...columns.slice(1)], difference.needs));
  if (difference.files.length) target.append(changedFiles(difference, "Files that differ", sourceOf(old, now)));
  target.append(...lines(old, now));
}

function compareButtons(release) {
  const serving = byNumber.get(data.serving);
  const go = (old, now) => () => {
    Object.assign($("choice").old, { value: `#${old.number}` });
    Object.assign($("choice").new, { value: `#${now.number}` });
    compare($("choice"));
    $("compare").scrollIntoView();
    $("compare").focus({ preventScroll: true });
  };
  const old = before(release);
  return [
    old ? make("button", { type: "button", onclick: go(old, release) }, `Compare with #${old.number}, before it`) : "",
    serving && serving !== release
      ? make("button", { type: "button", onclick: go(release, serving) }, `Compare with #${serving.number}, which is live`) : "",
  ];
}
