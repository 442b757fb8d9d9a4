"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const all = data.utterances;
  const byId = new Map(all.map((one, index) => [one.id, index]));
  const $ = (id) => document.getElementById(id);

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === false || value === null || value === undefined) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null));
    return node;
  };
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const number = (value) => Number(value.toPrecision(4)).toLocaleString("en");
  const seconds = (value) => `${value.toFixed(value < 10 ? 2 : 1)} s`;

  // The theme: light, dark, or the system's ("auto").
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = { get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
    set: (name) => { try { localStorage.setItem("theme", name); } catch { /* storage may be blocked for files */ } } };
  const setTheme = (name) => {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    remembered.set(name);
    if (shown >= 0) draw();
  };
  // The first step after "auto" is the theme that the system doesn't have, so that the change is seen.
  const themes = () => (system.matches ? ["auto", "light", "dark"] : ["auto", "dark", "light"]);
  const nextTheme = () => {
    const now = document.documentElement.dataset.theme || "auto";
    setTheme(themes()[(themes().indexOf(now) + 1) % 3]);
  };

  // The list.
  let listed = [];
  let shown = -1;
  const before = [];
  const narrow = matchMedia("(max-width: 52rem)");
  const folded = (text) => text.normalize("NFKC").toLowerCase();
  const haystacks = all.map((one) => folded(`${one.text}\n${one.phonemes}\n${one.id}`));

  const fill = (select, label, values) => {
    select.append(make("option", { value: "" }, label));
    for (const [value, text] of values) select.append(make("option", { value }, text));
  };
  const tally = (key) => {
    const counts = new Map();
    for (const one of all) counts.set(one[key], (counts.get(one[key]) || 0) + 1);
    return [...counts].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([name, count]) => [name, `${name} (${count})`]);
  };

  const refresh = () => {
    const wanted = folded($("search").value.trim()).split(/\s+/).filter(Boolean);
    const language = $("language").value, speaker = $("speaker").value, order = $("order").value;
    listed = all.map((_, index) => index).filter((index) => (!language || all[index].language === language)
      && (!speaker || all[index].speaker === speaker) && wanted.every((word) => haystacks[index].includes(word)));
    if (order) {
      const [key, way] = order.split("|");
      const value = (index) => all[index].values[key];
      const lacks = (index) => value(index) === undefined;
      listed.sort((a, b) => lacks(a) - lacks(b) || (value(a) - value(b)) * way || 0);
    }
    $("list").replaceChildren(...listed.map((index) => {
      const one = all[index];
      return make("li", { role: "option", id: `u${index}`, "aria-selected": String(index === shown), onclick: () => show(index) },
        make("div", { class: "said", lang: one.language, dir: "auto" }, one.text),
        make("div", { class: "who" }, make("span", {}, `${one.speaker} · ${one.language}`), make("span", {}, seconds(one.seconds))));
    }));
    $("count").textContent = `${listed.length.toLocaleString("en")} of ${all.length.toLocaleString("en")} utterances`;
    $("list").scrollTop = 0;
    if (listed.includes(shown)) reveal($(`u${shown}`));
  };

  // The selected utterance. `audio` plays it, `other` plays a neighbour; never both at once.
  let audio = null, box = null, here = 0, frame = 0;
  const other = new Audio();
  const mark = (at) => {
    const length = all[shown].seconds;
    here = at;
    box.querySelector(".head").style.left = `${100 * Math.min(at / length, 1)}%`;
    box.setAttribute("aria-valuenow", at);
    box.setAttribute("aria-valuetext", `${seconds(at)} of ${seconds(length)}`);
  };
  const tick = () => {
    if (!audio || !box) return;
    mark(audio.currentTime);
    if (!audio.paused) frame = requestAnimationFrame(tick);
  };
  const play = () => {
    if (!audio) return;
    if (audio.paused) audio.play().catch(() => {}); else audio.pause();
  };
  const complain = (event) => {
    const source = event.target.getAttribute("src");
    $("complaint").textContent = source.startsWith("data:") ? "This browser can't play it." : `Can't play ${source}: is it still beside this page?`;
  };
  const label = () => {
    for (const button of document.querySelectorAll(".neighbours button")) {
      const plays = !other.paused && other.dataset.id === button.dataset.id;
      button.textContent = plays ? "■" : "▶";
      button.title = plays ? "Stop" : "Listen";
      button.setAttribute("aria-label", `${button.title}: ${button.dataset.id}`);
    }
  };
  for (const name of ["play", "pause", "ended", "error"]) other.addEventListener(name, label);
  other.addEventListener("error", complain);

  const colours = Array.from({ length: 256 }, (_, level) => {
    // Interpolated between five points of the viridis colour map.
    const points = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
    const at = (level / 255) * 4, low = Math.min(Math.floor(at), 3);
    return points[low].map((from, channel) => Math.round(from + (points[low + 1][channel] - from) * (at - low)));
  });
  const codesOf = (one) => new Uint16Array(bytes(one.codes).buffer);
  const drawCodes = (canvas, one) => {
    const codes = codesOf(one), gap = 1, scale = 4;
    canvas.width = one.frames;
    canvas.height = one.codebooks * scale;
    const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
    for (let row = 0; row < canvas.height; row += 1) {
      const codebook = Math.floor(row / scale);
      if (one.codebooks > 1 && row % scale >= scale - gap && scale > 2) continue;
      for (let time = 0; time < one.frames; time += 1) {
        const colour = colours[Math.floor((codes[codebook * one.frames + time] * 256) / data.codebookSize)] || colours[255];
        image.data.set([...colour, 255], 4 * (row * one.frames + time));
      }
    }
    context.putImageData(image, 0, 0);
  };
  const drawWave = (canvas, one) => {
    const levels = bytes(one.wave), ratio = window.devicePixelRatio || 1;
    canvas.width = Math.max(canvas.clientWidth * ratio, 1);
    canvas.height = Math.max(canvas.clientHeight * ratio, 1);
    const context = canvas.getContext("2d"), middle = canvas.height / 2, step = canvas.width / levels.length;
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent");
    levels.forEach((level, index) => {
      const height = Math.max((level / 255) * canvas.height, ratio);
      context.fillRect(index * step, middle - height / 2, Math.max(step * 0.75, 1), height);
    });
  };
  const draw = () => {
    const one = all[shown], wave = document.querySelector(".wave"), codes = document.querySelector(".codes");
    if (wave) drawWave(wave, one);
    if (codes) drawCodes(codes, one);
  };

  const picture = (one) => {
    if (!one.codes && !one.wave) return [];
    const idle = one.codes ? `${one.codebooks} codebooks × ${one.frames} frames; point at one to read it, click or ← → to go there` : "";
    const reading = make("p", { class: "reading" }, idle);
    const codes = one.codes ? make("canvas", { class: "codes", role: "img", "aria-label": `Codes: ${one.codebooks} codebooks by ${one.frames} frames` }) : null;
    box = make("div", { class: "picture", role: "slider", tabindex: 0, "aria-label": "Position", "aria-valuemin": 0, "aria-valuemax": one.seconds },
      one.wave ? make("canvas", { class: "wave", role: "img", "aria-label": "Waveform" }) : null, codes, make("div", { class: "head" }));
    const values = one.codes ? codesOf(one) : null;
    const read = (x, y) => {
      if (!codes || x < 0 || x >= 1) return;
      const time = Math.floor(x * one.frames), codebook = Math.floor(y * one.codebooks);
      const column = Array.from({ length: one.codebooks }, (_, k) => values[k * one.frames + time]);
      reading.textContent = y < 0 ? `${seconds(x * one.seconds)} · frame ${time}: ${column.join(" ")}`
        : `${seconds(x * one.seconds)} · frame ${time}, codebook ${codebook}: ${column[codebook]}`;
    };
    const go = (at) => {
      if (audio) audio.currentTime = at;
      mark(at);
    };
    const idly = () => { reading.textContent = idle; };
    box.addEventListener("pointermove", (event) => {
      const area = (codes || box).getBoundingClientRect();
      read((event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height);
    });
    box.addEventListener("pointerleave", idly);
    box.addEventListener("blur", idly);
    box.addEventListener("click", (event) => {
      const area = box.getBoundingClientRect();
      go(((event.clientX - area.left) / area.width) * one.seconds);
    });
    box.addEventListener("keydown", (event) => {
      const step = one.codes ? one.seconds / one.frames : 0.01, last = one.seconds - step;
      const to = { ArrowLeft: here - step, ArrowRight: here + step, PageDown: here - 1, PageUp: here + 1, Home: 0, End: last }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const at = Math.min(Math.max(to, 0), last);
      go(at);
      read((at + step / 2) / one.seconds, -1);
    });
    mark(0);
    return [box, reading];
  };

  const neighbour = ([id, score], place) => {
    const index = byId.get(id), one = all[index];
    const track = make("div", { class: "track", title: "cosine" }, make("i", { style: `width:${Math.max(score, 0) * 100}%` }));
    const listen = one && one.audio ? make("button", { type: "button", title: "Listen", "aria-label": `Listen: ${id}`, "data-id": id,
      onclick: () => { if (audio) audio.pause(); if (!other.paused && other.dataset.id === id) { other.pause(); return; }
        other.dataset.id = id; other.src = one.audio; other.play().catch(() => {}); } }, "▶") : "";
    const name = one ? make("a", { href: `#u=${encodeURIComponent(id)}`, title: id }, one.speaker === all[shown].speaker ? one.text : `${one.speaker} · ${one.text}`)
      : make("span", { class: "else id", title: "not on this page" }, id);
    return make("li", {}, make("span", { class: "place" }, place < 9 ? String(place + 1) : ""), listen || make("span"), make("span", { class: "n" }, score.toFixed(3)), track, name);
  };

  const reveal = (item) => {
    const list = $("list"), bottom = item.offsetTop + item.offsetHeight;
    if (item.offsetTop < list.scrollTop) list.scrollTop = item.offsetTop;
    else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  };

  const show = (index, { remember = true, named = true, scroll = false } = {}) => {
    if (audio) audio.pause();
    other.pause();
    cancelAnimationFrame(frame);
    if (remember && shown >= 0 && shown !== index) before.push(shown);
    const old = $(`u${shown}`);
    if (old) old.setAttribute("aria-selected", "false");
    shown = index;
    const one = all[index], item = $(`u${index}`);
    if (item) { item.setAttribute("aria-selected", "true"); reveal(item); }
    $("list").setAttribute("aria-activedescendant", `u${index}`);
    audio = one.audio ? make("audio", { controls: true, preload: "none", src: one.audio }) : null;
    box = null;
    const values = Object.entries(one.values).map(([key, value]) => {
      const [label, unit] = data.names[key] || [key, ""];
      return make("div", {}, make("dt", {}, label), make("dd", {}, `${number(value)}${unit ? ` ${unit}` : ""}`));
    });
    const facts = [["speaker", one.speaker], ["language", one.language]].map(([label, value]) =>
      make("div", {}, make("dt", {}, label), make("dd", {}, value)));
    const near = one.neighbours.map(neighbour);
    // A span per word: otherwise lines could break at stress marks.
    const words = one.phonemes.split(" ").flatMap((word) => [make("span", {}, word), " "]);
    const held = $("detail").contains(document.activeElement);
    $("detail").replaceChildren(
      make("h3", { class: "id" }, one.id),
      make("p", { class: "text", lang: one.language, dir: "auto" }, one.text),
      ...(one.spoken ? [make("p", { class: "spoken", title: "as it is said" }, one.spoken)] : []),
      ...(one.unread ? [make("p", { class: "spoken", title: "can't be read" }, `not read: ${one.unread}`)] : []),
      ...(one.phonemes ? [make("p", { class: "phonemes", title: "phonemes" }, ...words)] : []),
      audio || make("p", { class: "gone" }, one.silent),
      make("p", { class: "gone", id: "complaint", role: "alert" }),
      ...picture(one),
      make("dl", { class: "values" }, ...facts, ...values),
      ...(near.length ? [make("h3", {}, "sounds most like"), make("ol", { class: "neighbours" }, ...near)] : []));
    $("detail").scrollTop = 0;
    if (held) $("detail").focus({ preventScroll: true });
    if (audio) {
      for (const name of ["play", "seeked", "timeupdate"]) audio.addEventListener(name, tick);
      audio.addEventListener("play", () => other.pause());
      audio.addEventListener("error", complain);
    }
    draw();
    const hash = `#u=${encodeURIComponent(one.id)}`;
    if (named && location.hash !== hash) history.replaceState(null, "", hash);
    if (scroll) $(narrow.matches ? "detail" : "utterances").scrollIntoView();
  };
  const move = (by) => {
    const at = listed.indexOf(shown), next = at < 0 && by < Infinity ? 0 : Math.min(Math.max(at + by, 0), listed.length - 1);
    if (!listed.length) return;
    show(listed[next]);
    if (document.activeElement === $("list")) $(`u${shown}`).scrollIntoView({ block: "nearest" });
  };
  const fromHash = () => {
    if (!location.hash.startsWith("#u=")) return false;
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(3)); } catch { return false; }
    const index = byId.get(id);
    if (index === undefined) return false;
    if (index !== shown) show(index, { scroll: true });
    return true;
  };

  const keys = {
    "/": () => { $("utterances").scrollIntoView(); $("search").focus(); },
    j: () => move(1), k: () => move(-1), " ": play, t: nextTheme, "?": () => $("help").showModal(),
    b: () => { if (before.length) show(before.pop(), { remember: false }); },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
    const field = event.target.closest("input, select, textarea");
    if (field) {
      const sought = event.key === "Enter" && field === $("search");
      if (sought || event.key === "Escape") $("list").focus();
      if (sought && !listed.includes(shown)) move(0);
      return;
    }
    if (event.key === " " && event.target.closest("button, summary, a, audio")) return;
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 5, PageUp: -5, End: Infinity, Home: -Infinity }[event.key];
    if (event.target.id === "list" && (by || event.key === "Enter")) {
      event.preventDefault();
      if (by) move(by); else play();
      return;
    }
    if (/^[1-9]$/.test(event.key) && shown >= 0) {
      const near = all[shown].neighbours[Number(event.key) - 1];
      if (near && byId.has(near[0])) show(byId.get(near[0]));
      return;
    }
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });

  $("theme").addEventListener("click", nextTheme);
  $("keys").addEventListener("click", () => $("help").showModal());
  const kept = remembered.get();
  if (themes().includes(kept)) setTheme(kept);
  if (all.length) {
    $("browser").hidden = false;
    fill($("language"), "all languages", tally("language"));
    fill($("speaker"), "all speakers", tally("speaker"));
    fill($("order"), "as drawn", Object.entries(data.names).filter(([key]) => all.some((one) => key in one.values))
      .flatMap(([key, [label]]) => [[`${key}|-1`, `${label} ↓`], [`${key}|1`, `${label} ↑`]]));
    for (const id of ["language", "speaker", "order"]) $(id).addEventListener("change", refresh);
    $("search").addEventListener("input", refresh);
    window.addEventListener("hashchange", fromHash);
    window.addEventListener("resize", () => { if (shown >= 0) draw(); });
    system.addEventListener("change", () => { if (shown >= 0) draw(); });
    refresh();
    if (!fromHash()) show(listed[0], { remember: false, named: false });
  }
})();
