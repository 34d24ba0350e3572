// What happens when the page opens: first what people look for, then the rest.

function start() {
  $("made").append("Made ", age(data.made), ", ", when(data.made));
  showLive();
  const form = $("filter");
  form.addEventListener("input", () => filter(form));
  form.addEventListener("submit", (event) => event.preventDefault());
  $("more").addEventListener("click", () => {
    const next = $("list").children.length;
    showMore();
    $("list").children[next]?.querySelector("summary").focus();
  });
  form.hidden = data.releases.length < FILTERED_FROM;
  filter(form);
  const choice = $("choice");
  choice.addEventListener("submit", (event) => {
    event.preventDefault();
    compare(choice);
  });
  if (served.length > 1) {
    choice.old.value = `#${served[1].number}`;
    choice.new.value = `#${served[0].number}`;
  }
  const goToHash = () => {
    const requested = /^#release-(\d+)$/.exec(location.hash);
    if (requested) show(Number(requested[1]));
  };
  addEventListener("hashchange", goToHash);
  // A link to what the address names already changes no address, and is meant all the same.
  document.addEventListener("click", ({ target }) => {
    const link = target.closest("a[href^='#release-']");
    if (link && link.hash === location.hash) goToHash();
  });
  goToHash();
  requestAnimationFrame(() => setTimeout(showCharts));
}

start();
