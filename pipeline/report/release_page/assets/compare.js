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

/** Say in a sentence what a difference comes to. */
function inSentence({ known, settings, needs, files, packages }) {
  if (!known) return "not known, for a manifest is damaged or missing";
  const differences = ["added", "removed", "changed"]
    .map((how) => [how, files.filter((file) => file.how === how).length])
    .filter(([, number]) => number)
    .map(([how, number]) => `${plural(number, "file")} ${how}`);
  differences.push(...needs.map(([name, old, now]) => `${name} ${old} → ${now}`));
  differences.push(...settings.map(([name, old, now]) => `${name} ${old} → ${now}`));
  if (packages.length && !files.length) differences.push("the same files, compressed differently");
  return differences.join(", ") || "the same bundle";
}

function changedFiles({ files }, caption) {
  const bytes = (number) => (number === undefined ? "–" : size(number));
  return table(caption, ["File", "How", "#Before", "#After", "Package"], files, (file) =>
    [code(file.path), badge(file.how, file.how), bytes(file.old), bytes(file.now), file.package]);
}

/** Compare the releases whose numbers the form holds. */
function compare(form) {
  const [old, now] = [form.old, form.new].map((input) => byNumber.get(Number(input.value)));
  const target = $("difference");
  target.replaceChildren();
  if (!old || !now) {
    const missing = old ? form.new.value : form.old.value;
    $("verdict").textContent = missing ? `There is no release ${missing}.` : "Give the numbers of two releases.";
    return;
  }
  const difference = compareBundles(old, now);
  $("verdict").textContent = `From release ${old.number} to release ${now.number}: ${inSentence(difference)}.`;
  if (!difference.known) return;
  const [left, right] = [bundleOf(old), bundleOf(now)];
  const columns = ["", `Release ${old.number}`, `Release ${now.number}`];
  const bytes = (each) => (each ? size(each.size) : "–");
  const sizes = packagePairs(old, now).map(([a, b]) => [(a ?? b).name, bytes(a), bytes(b)]);
  const rows = [
    ["Bundle", code(short(left.id)), code(short(right.id))],
    ...["runtime", "handler", "architecture"].map((name) => [name[0].toUpperCase() + name.slice(1), left[name], right[name]]),
    ...sizes,
  ];
  target.append(table("What they are", ["What", ...columns.slice(1)], rows));
  if (difference.needs.length) target.append(table("Dependencies with another version", ["Name", ...columns.slice(1)], difference.needs));
  if (difference.files.length) target.append(changedFiles(difference, "Files that differ"));
}

function compareButtons(release) {
  const serving = byNumber.get(data.serving);
  const go = (old, now) => () => {
    Object.assign($("choice").old, { value: old.number });
    Object.assign($("choice").new, { value: now.number });
    compare($("choice"));
    $("compare").scrollIntoView();
    $("compare").focus({ preventScroll: true });
  };
  const old = before(release);
  return [
    old ? make("button", { type: "button", onclick: go(old, release) }, `Compare with release ${old.number}, before it`) : "",
    serving && serving !== release
      ? make("button", { type: "button", onclick: go(release, serving) }, `Compare with release ${serving.number}, which serves`) : "",
  ];
}
