// Light or dark: as chosen, else as the system has it.
(() => {
  "use strict";
  const whenThere = (act) =>
    document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", act) : act();
  const systemIsDark = window.matchMedia("(prefers-color-scheme: dark)");
  const chosenLook = () => localStorage.getItem("look") ?? window.preferredLook;
  const wear = () => {
    const look = chosenLook();
    document.body.classList.toggle("dark", look === "dark" || (look === "system" && systemIsDark.matches));
  };
  whenThere(wear);
  systemIsDark.addEventListener("change", wear);
  window.wearLook = (look) => {
    localStorage.setItem("look", look);
    wear();
  };
})();
