// Cards are hidden as one types; without this script the form asks the server for the same.
const words = document.getElementById("q");
const category = document.getElementById("category");
const cards = [...document.querySelectorAll(".card")];

function show() {
  const asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const card of cards) {
    const said = card.dataset.say.toLowerCase();
    const fits = asked.every((word) => said.includes(word));
    card.hidden = !fits || (category.value && category.value !== card.dataset.category);
    count += !card.hidden;
  }
  for (const section of document.querySelectorAll("main section")) {
    section.hidden = !section.querySelector(".card:not([hidden])");
  }
  document.getElementById("count").textContent = `${count} connector${count === 1 ? "" : "s"}`;
  document.getElementById("none").hidden = count > 0;
}

// What the server has filtered already lacks the other cards: then the form is the only way.
if (!words.value && !category.value) {
  words.addEventListener("input", show);
  category.addEventListener("change", show);
}
