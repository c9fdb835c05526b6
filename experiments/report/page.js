"use strict";
(async () => {
  const { config, specs } = JSON.parse(document.getElementById("charts").textContent);
  const options = { actions: false, renderer: "svg", ast: true, config, tooltip: { theme: "custom" } };
  for (const [id, spec] of Object.entries(specs)) {
    const place = document.getElementById(id);
    try {
      await vegaEmbed(place, spec, spec.marks ? { ...options, mode: "vega", config: {} } : options);
    } catch (error) {
      place.classList.add("failed");
      place.textContent = `This chart could not be drawn: ${error.message}`;
    }
  }
  document.documentElement.dataset.drawn = Object.keys(specs).length;
})();
