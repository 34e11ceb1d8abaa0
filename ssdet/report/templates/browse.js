"use strict";
const D = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const PIXELS = D.unit === "pixels", KEPT = 0, UNSURE = 1, IGNORED = 2, DROPPED = 3;
const MARKS = PIXELS
  ? [["kept", "kept: the color of its class"], ["unsure", "ambiguous: dots, learned with a small weight"], null,
     ["dropped", "dropped: gray stripes"], ["student", "the student says otherwise: white checks"]]
  : [["kept", "kept: a solid line"], ["unsure", "ambiguous: dots, learned with a small weight"],
     ["ignored", "ignored: hatched, nothing is learned there"], ["dropped", "dropped: dashes"],
     ["student", "the student's own: thin white"]];
const PANELS = [["original", "The image", "o", "wo"], ["weak", "As the teacher sees it (weak view)", "w", null],
                ["strong", "As the student sees it (strong view)", "s", "ws"]];
const limits = D.classes.map(() => null);   // null: as the run decided
const shown = [true, true, true, true, false];
let chosen = -1, list = D.images.map((_, i) => i), open = -1, zoom = {k: 1, x: 0, y: 0};
const maps = new Map(), waiting = new Map();

// ---------------------------------------------------------------- decisions
const percent = v => (100 * v).toFixed(v > 0.0995 || !v ? 0 : 1) + "\u00a0%";
const BINS = 50;
function decide(box) {
  const limit = limits[box[4]];
  if (limit === null) return box[6];
  if (box[6] === DROPPED && box[7] >= 0 && D.reasons[box[7]] !== "score") return DROPPED;
  return box[5] >= limit ? KEPT : DROPPED;
}
function parts(image, label) {   // [amount by decision], [bins of all], [bins of kept], sum of scores
  const amount = [0, 0, 0, 0], all = new Float64Array(BINS), kept = new Float64Array(BINS);
  let sum = 0, lowest = 1, highest = 0;
  if (!PIXELS) {
    for (const box of image.b) {
      if (label >= 0 && box[4] !== label) continue;
      const code = decide(box), bin = Math.min(BINS - 1, Math.floor(box[5] * BINS));
      amount[code]++; all[bin]++; highest = Math.max(highest, box[5]);
      if (code <= UNSURE) { kept[bin]++; sum += box[5]; lowest = Math.min(lowest, box[5]); }
    }
    return {amount, all, kept, sum, lowest, highest};
  }
  for (const [c, share, bins] of image.q) {
    if (label >= 0 && c !== label) continue;
    const limit = limits[c], total = bins.reduce((a, b) => a + b, 0) || 1;
    const own = share[KEPT] + share[UNSURE];
    // Without a limit of the page, the run's kept share goes to the highest scores.
    let rest = own;
    for (let i = BINS - 1; i >= 0; i--) {
      all[i] += bins[i];
      const take = limit === null ? Math.min(rest, bins[i]) : (i / BINS >= limit - 1e-9 ? bins[i] : 0);
      kept[i] += take; sum += take * (i + 0.5) / BINS; rest -= take;
      if (bins[i] > 0) highest = Math.max(highest, (i + 1) / BINS);
      if (take > 0) lowest = Math.min(lowest, i / BINS);
      if (limit !== null) { amount[KEPT] += take; amount[DROPPED] += bins[i] - take; }
    }
    if (limit === null) share.forEach((v, k) => amount[k] += v);
  }
  return {amount, all, kept, sum, lowest, highest};
}
const taken = p => p.amount[KEPT] + p.amount[UNSURE];

// ---------------------------------------------------------------- head: numbers and advice
function overall(label) {
  const t = {amount: [0, 0, 0, 0], all: new Float64Array(BINS), kept: new Float64Array(BINS), sum: 0, empty: 0};
  for (const image of D.images) {
    const p = parts(image, label);
    p.amount.forEach((v, k) => t.amount[k] += v);
    for (let i = 0; i < BINS; i++) { t.all[i] += p.all[i]; t.kept[i] += p.kept[i]; }
    t.sum += p.sum; t.empty += taken(p) ? 0 : 1;
  }
  t.proposed = t.amount.reduce((a, b) => a + b, 0);
  return t;
}
const limitOf = c => limits[c] !== null ? limits[c] : (D.thresholds ? D.thresholds[c] : null);
function measured(limit, label, role = "teacher") {   // on the labels of the validation
  const q = D.quality && D.quality.models[role];
  if (!q) return null;
  const rows = q.proposed.map((row, c) => {
    const first = Math.round((typeof limit === "function" ? limit(c) : limit) * row.length);
    let kept = 0, hits = 0;
    for (let i = first; i < row.length; i++) { kept += row[i]; hits += q.right[c][i]; }
    return {kept, hits, truth: q.truth[c]};
  }).filter((_, c) => label < 0 || c === label);
  const share = whole => {   // pixels: the mean over the classes, or the background would be all
    const known = rows.filter(r => r[whole]);
    if (!known.length) return null;
    if (PIXELS) return known.reduce((a, r) => a + r.hits / r[whole], 0) / known.length;
    return known.reduce((a, r) => a + r.hits, 0) / known.reduce((a, r) => a + r[whole], 0);
  };
  return {precision: share("kept"), recall: share("truth")};
}
function reaching(precision) {   // the lowest threshold from which on so much is right
  for (let i = 0; D.quality && i < 50; i++) { const m = measured(i / 50, -1); if (m && m.precision !== null && m.precision >= precision) return {limit: i / 50, ...m}; }
  return null;
}
function advise() {
  const n = D.images.length, t = overall(-1), out = [], apart = D.images.reduce((a, i) => a + i.d, 0) / n;
  const kept = taken(t), what = PIXELS ? "of the pixels" : "boxes in an image";
  const amount = PIXELS ? percent(kept / n) : (kept / n).toFixed(1);
  $("lead").textContent = `${n} unlabeled images: ${amount} ${what} are kept` +
    (kept ? `, with a mean score of ${(t.sum / kept).toFixed(2)}` : "") + `. Teacher and student disagree by ${percent(apart)}.`;
  const say = (kind, title, text) => out.push([kind, title, text]);
  const run = measured(c => limitOf(c) ?? 0.5, -1);
  const good = run && reaching(0.8), how = good ? ` From a score of ${good.limit.toFixed(2)} on, 80\u00a0% are right, and ${percent(good.recall)} are found.` : " No threshold makes 80\u00a0% right: the teacher needs a longer burn-in or more labels first.";
  if (run && run.precision !== null && run.recall !== null) {
    const share = `${percent(run.precision)} of what is kept is right, and ${percent(run.recall)} of all ${PIXELS ? "pixels" : "objects"} are found, on the validation images${PIXELS ? " (mean over the classes)" : ""}.`;
    const lower = good && good.limit < (limitOf(0) ?? 0.5) - 0.05 ? ` At ${good.limit.toFixed(2)}, ${percent(good.precision)} would still be right, and ${percent(good.recall)} found.` : "";
    const right = Math.round(100 * run.precision);   // as it is said
    if (right >= 80 && run.recall < 0.4) say("note", "What is kept is right, but much is missed", share + (lower || " The teacher needs more training or more labels; a lower threshold would let mistakes in."));
    else if (right >= 80) say("good", "What is kept is mostly right", share + lower);
    else if (right >= 60) say("note", "Some of what is kept is wrong", share + how);
    else say("bad", "Much of what is kept is wrong", share + how);
  } else if (run) {
    say("bad", "The teacher is never as sure as its thresholds ask", `Nothing that it finds on the validation images is kept.${how}`);
  } else {
    say("note", "How often it is right is not known", "The run has no validation with labels in its views. Look at the images below, the least sure first: are the kept labels right?");
  }
  if (!kept) say("bad", "Nothing is kept", "The unlabeled images teach nothing. Lower the threshold until the labels below look right, or lengthen the burn-in (burn_in).");
  else if (t.empty > 0.5 * n) say("bad", `${percent(t.empty / n)} of the images have no kept label`, "If there are objects in them, the threshold is too high: move it down and look at what appears.");
  else say("good", `${percent(1 - t.empty / n)} of the images have a kept label`, "The unlabeled images are used.");
  const never = D.classes.filter((_, c) => !taken(overall(c)) && !(PIXELS && c === 0));
  if (never.length) say("bad", `No kept label of ${never.slice(0, 6).join(", ")}${never.length > 6 ? ` and ${never.length - 6} more` : ""}`, "Choose the class in the table and move its threshold. If nothing is proposed at all, label more of it.");
  else say("good", "Every class has kept labels", "None of the classes is forgotten.");
  if (apart > 0.5) say("note", "Teacher and student disagree a lot", "Sort by disagreement: if the student is right, the teacher follows too slowly (lower its momentum). If neither is, label some of these images.");
  else if (apart < 0.03 && kept) say("note", "Teacher and student nearly agree", "There is little left that the student could learn from the teacher. Stronger views or a lower threshold give it more.");
  else say("good", "The student still has something to learn", "It says other things than the teacher in some places, as it should.");
  $("verdicts").replaceChildren(...out.map(([kind, title, text]) => {
    const li = document.createElement("li"), b = document.createElement("b"), s = document.createElement("span");
    li.className = kind; b.textContent = title; s.textContent = text; li.append(b, s); return li;
  }));
}

// ---------------------------------------------------------------- the threshold
function histogram() {
  const t = overall(chosen), top = Math.max(...[...t.all].map(Math.sqrt)) || 1;
  const bar = (bins, name) => [...bins].map((v, i) => v ? `<rect class="${name}" x="${i * 12 + 1}" width="10" y="${(118 - 112 * Math.sqrt(v) / top).toFixed(1)}" height="${(112 * Math.sqrt(v) / top).toFixed(1)}"/>` : "").join("");
  const known = D.classes.map((_, c) => limitOf(c)).filter((v, c) => v !== null && (chosen < 0 || c === chosen));
  const same = known.length && known.every(v => v === known[0]), limit = chosen >= 0 ? limitOf(chosen) : (same ? known[0] : null);
  $("hist").innerHTML = bar(t.all, "all") + bar(t.kept, "kept") + (limit !== null ? `<line x1="${limit * 600}" x2="${limit * 600}" y1="0" y2="120"/>` : "");
  $("limit").value = limit ?? (known.length ? known.reduce((a, b) => a + b, 0) / known.length : 0.5);
  const who = chosen >= 0 ? D.classes[chosen] : "all classes", manual = chosen >= 0 ? limits[chosen] !== null : limits.some(v => v !== null);
  $("limit-said").textContent = limit !== null ? `${manual ? "Threshold" : "The run's threshold"} of ${who}: ${limit.toFixed(2)}` :
    known.length ? `Each class has its own threshold, ${Math.min(...known).toFixed(2)} to ${Math.max(...known).toFixed(2)}` : "The run decides without one threshold";
  $("reset").hidden = limits.every(v => v === null);
  const m = limit !== null && measured(limit, chosen);
  $("quality").textContent = m && m.precision !== null && m.recall !== null ? `On the labeled validation images, the teacher's ${PIXELS ? "pixels" : "boxes"} above ${limit.toFixed(2)} are right in ${percent(m.precision)} and find ${percent(m.recall)} of ${chosen >= 0 ? who : "all"}.` : "Bars: all that the teacher proposed (pale) and what is kept (full), by score from 0 to 1; heights grow with the square root.";
}
function table() {
  const rows = D.classes.map((name, c) => ({name, c, t: overall(c)})).filter(r => r.t.proposed || !PIXELS);
  $("classes").tBodies[0].replaceChildren(...rows.map(({name, c, t}) => {
    const tr = document.createElement("tr"), th = document.createElement("th"), sw = document.createElement("i");
    const n = D.images.length, kept = taken(t), f = v => PIXELS ? percent(v / n) : v.toLocaleString("en");
    sw.className = "swatch"; sw.style.background = D.colors[c]; th.scope = "row"; th.append(sw, name); tr.append(th);
    for (const text of [f(t.proposed), f(kept), t.proposed ? percent(kept / t.proposed) : "–", kept ? (t.sum / kept).toFixed(2) : "–", limitOf(c) === null ? "–" : limitOf(c).toFixed(2)]) {
      const td = document.createElement("td"); td.className = "num"; td.textContent = text; tr.append(td);
    }
    tr.className = c === chosen ? "on" : ""; tr.tabIndex = 0;
    tr.onclick = () => choose(c === chosen ? -1 : c);
    tr.onkeydown = e => { if (e.key === "Enter") choose(c === chosen ? -1 : c); };
    return tr;
  }));
}
function choose(c) { chosen = c; $("f-class").value = c; refresh(); }
function setLimit(v) { limits.forEach((_, c) => { if (chosen < 0 || c === chosen) limits[c] = v; }); refresh(); }

// ---------------------------------------------------------------- pictures
const point = (m, x, y) => { if (!m) return [x, y]; const w = m[6] * x + m[7] * y + m[8]; return [(m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w]; };
const path = (points, m) => { let d = ""; for (let i = 0; i < points.length; i += 2) { const [x, y] = point(m, points[i], points[i + 1]); d += `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`; } return d + "Z"; };
const corners = b => [b[0], b[1], b[2], b[1], b[2], b[3], b[0], b[3]];
const HATCH = '<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="7" height="7" fill="#0003"/><rect width="1.6" height="7" fill="#d5d8de"/></pattern></defs>';
const NAMES = ["kept", "unsure", "ignored", "dropped"];
const wanted = c => chosen < 0 || c === chosen;
function boxes(image, [, , size, matrix], tags) {
  const m = matrix && image[matrix], [w, h] = image[size];
  let svg = HATCH;
  const order = image.b.map((b, i) => [b, i, decide(b)]).filter(([b, , code]) => wanted(b[4]) && shown[code]).sort((a, b) => b[2] - a[2] || a[0][5] - b[0][5]);
  const low = order.filter(r => r[2] === DROPPED).slice(0, -12);   // more would hide the image
  for (const row of order) {
    if (low.includes(row) && !tags) continue;
    const [b, i, code] = row, color = code <= UNSURE ? `style="stroke:${D.colors[b[4]]}"` : "", d = path(corners(b), m);
    if (image.p.length && image.p[i].length) svg += `<path class="mask" d="${path(image.p[i], m)}" fill="${code <= UNSURE ? D.colors[b[4]] : "#bcc0c8"}"/>`;
    svg += `<path class="under" stroke-width="${code === KEPT ? 4.4 : 2.6}" d="${d}"/><path class="${NAMES[code]}" ${color} d="${d}"/>`;
    if (tags) tags.push([point(m, b[0], b[1]), point(m, b[2], b[3]), b, code]);
  }
  if (shown[4] && tags) for (const b of image.u) if (wanted(b[4]) && b[5] >= (limitOf(b[4]) ?? 0.5)) svg += `<path class="student" d="${path(corners(b), m)}"/>`;
  const el = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  el.setAttribute("viewBox", `0 0 ${w} ${h}`); el.setAttribute("preserveAspectRatio", "none"); el.innerHTML = svg;
  return el;
}
function ssdetMap(name, source) {
  const img = new Image();
  img.onload = () => {
    const c = document.createElement("canvas"); c.width = img.width; c.height = img.height;
    const x = c.getContext("2d", {willReadFrequently: true}); x.drawImage(img, 0, 0);
    maps.set(name, x.getImageData(0, 0, img.width, img.height));
    for (const done of waiting.get(name) || []) done(maps.get(name));
    waiting.delete(name);
  };
  img.src = source;
}
window.ssdetMap = ssdetMap;
function withMap(name, done) {
  if (maps.has(name)) { done(maps.get(name)); return; }
  if (waiting.has(name)) { waiting.get(name).push(done); return; }
  waiting.set(name, [done]);
  const s = document.createElement("script"); s.src = `maps/${name}.js`; document.head.append(s);
}
function pixels(image, [, , size, matrix], big) {
  const canvas = document.createElement("canvas"), [w, h] = image[size];
  const k = Math.min(1, (big ? 900 : 260) / Math.max(w, h));
  canvas.width = Math.max(1, Math.round(w * k)); canvas.height = Math.max(1, Math.round(h * k));
  withMap(image.f, map => {
    const flat = document.createElement("canvas"); flat.width = map.width; flat.height = map.height;
    const out = new ImageData(map.width, map.height), a = map.data, o = out.data, alpha = big ? +$("opacity").value : 0.6;
    const rgb = D.colors.map(c => [1, 3, 5].map(i => parseInt(c.slice(i, i + 2), 16)));
    for (let i = 0, p = 0; i < a.length; i += 4, p++) {
      const label = a[i]; if (label === 255 || label >= rgb.length) continue;
      const limit = limits[label], own = a[i + 2] & 15, code = limit === null ? own : (a[i + 1] / 255 >= limit ? KEPT : DROPPED);
      const x = p % map.width, y = (p - x) / map.width, differs = a[i + 2] & 16, color = rgb[label], dark = color[0] + color[1] + color[2] === 0;
      let r = color, v = dark ? 0.35 * alpha : alpha;
      if (!wanted(label) || !shown[code]) v = 0;
      else if (code === DROPPED) { const on = (x + y) % 7 < 2; r = on ? [215, 218, 224] : [20, 22, 26]; v = on ? alpha : 0.55 * alpha; }
      else if (code === UNSURE && x % 4 < 2 && y % 4 < 2) { r = [255, 255, 255]; }
      if (shown[4] && differs && wanted(label) && (x + y) % 4 < 2) { r = [255, 255, 255]; v = 0.95; }
      o[i] = r[0]; o[i + 1] = r[1]; o[i + 2] = r[2]; o[i + 3] = 255 * v;
    }
    flat.getContext("2d").putImageData(out, 0, 0);
    const x = canvas.getContext("2d"), m = matrix && image[matrix];
    x.imageSmoothingEnabled = false; x.scale(canvas.width / w, canvas.height / h);
    if (m) x.transform(m[0], m[3], m[1], m[4], m[2], m[5]);
    x.scale(image.w[0] / map.width, image.w[1] / map.height); x.drawImage(flat, 0, 0);
  });
  return canvas;
}
const overlay = (image, panel, tags) => PIXELS ? pixels(image, panel, !!tags) : boxes(image, panel, tags);

// ---------------------------------------------------------------- the grid
const cards = D.images.map((image, i) => {
  const card = document.createElement("button"), pic = document.createElement("span"), img = document.createElement("img"), said = document.createElement("span");
  card.type = "button"; card.className = "card"; pic.className = "pic"; said.className = "said"; card.dataset.i = i;
  pic.style.aspectRatio = `${image.w[0]} / ${image.w[1]}`;
  img.loading = "lazy"; img.decoding = "async"; img.alt = image.n; img.src = `thumbs/${image.f}.jpg`;
  pic.append(img); card.append(pic, said); card.onclick = () => show(i);
  return card;
});
const near = new Set();
const watcher = new IntersectionObserver(entries => {
  for (const e of entries) { const i = +e.target.dataset.i; if (e.isIntersecting) { near.add(i); draw(i); } else { near.delete(i); clear(i); } }
}, {rootMargin: "400px"});
cards.forEach(card => watcher.observe(card));
const clear = i => cards[i].querySelectorAll("svg,canvas").forEach(e => e.remove());
function words(image) {
  const p = parts(image, chosen), f = v => PIXELS ? percent(v) : v;
  return `${f(taken(p))} kept` + (p.amount[UNSURE] ? ` (${f(p.amount[UNSURE])} ambiguous)` : "") + (p.amount[IGNORED] ? `, ${f(p.amount[IGNORED])} ignored` : "") + (p.amount[DROPPED] ? `, ${f(p.amount[DROPPED])} dropped` : "") + ` · disagreement ${percent(image.d)}`;
}
function draw(i) {
  clear(i);
  cards[i].firstChild.append(overlay(D.images[i], PANELS[1]));
  const b = document.createElement("b"); b.textContent = D.images[i].n;
  cards[i].lastChild.replaceChildren(b, words(D.images[i]));
}
function filter() {
  const low = +$("f-low").value, high = +$("f-high").value, apart = +$("f-apart").value, what = $("f-decision").value, order = $("f-order").value;
  $("f-apart-said").textContent = percent(apart);
  const found = [];
  D.images.forEach((image, i) => {
    const p = parts(image, chosen);
    let ok = image.d >= apart - 1e-9 && (chosen < 0 || p.amount.some(v => v > 0));
    if (ok && (low > 0 || high < 1)) { ok = false; for (let k = 0; k < BINS; k++) if (p.all[k] && (k + 1) / BINS > low && k / BINS < high + 1e-9) ok = true; }
    if (ok && what === "none") ok = !taken(p);
    else if (ok && what !== "") ok = p.amount[+what] > 0;
    if (ok) found.push([i, p]);
  });
  const by = {apart: ([i]) => -D.images[i].d, unsure: ([, p]) => taken(p) ? p.lowest : 2, kept: ([, p]) => -taken(p), few: ([, p]) => taken(p)}[order];
  if (by) found.sort((a, b) => by(a) - by(b) || a[0] - b[0]);
  list = found.map(([i]) => i);
  const on = new Set(list);
  cards.forEach((card, i) => card.hidden = !on.has(i));
  $("grid").append(...list.map(i => cards[i]));
  $("count").textContent = `${list.length} of ${D.images.length} images`;
}
let queued = 0;
function refresh() {
  if (queued) return;
  queued = requestAnimationFrame(() => { queued = 0; histogram(); table(); filter(); near.forEach(draw); if (open >= 0) show(open); });
}

// ---------------------------------------------------------------- one image
function show(i) {
  const fresh = open < 0 || open !== i;
  open = i;
  const image = D.images[i], place = list.indexOf(i);
  $("v-name").textContent = image.n; $("v-place").textContent = place < 0 ? "" : `${place + 1} of ${list.length}`;
  $("v-said").textContent = words(image);
  if (fresh) zoom = {k: 1, x: 0, y: 0};
  $("panels").replaceChildren(...PANELS.map(panel => {
    const [view, title, size] = panel, fig = document.createElement("figure"), cap = document.createElement("figcaption"), win = document.createElement("div"), pic = document.createElement("span"), img = document.createElement("img");
    cap.textContent = title; win.className = "window"; pic.className = "pic"; pic.style.aspectRatio = `${image[size][0]} / ${image[size][1]}`;
    img.alt = title; img.src = `images/${image.f}_${view}.jpg`;
    const tags = []; pic.append(img, overlay(image, panel, tags));
    for (const [[x1, y1], [x2, y2], b, code] of tags) {
      const t = document.createElement("span"), kept = code <= UNSURE, left = Math.min(x1, x2), top = Math.min(y1, y2), bottom = Math.max(y1, y2);
      t.textContent = `${D.classes[b[4]]} ${b[5].toFixed(2)}` + (code === DROPPED && limits[b[4]] === null && b[7] >= 0 && D.reasons[b[7]] !== "score" ? ` ${D.reasons[b[7]]}` : "");
      t.className = `tag${kept ? "" : " low"}${kept && top < 0.06 * image[size][1] ? " in" : ""}`; t.style.background = D.colors[b[4]];
      t.style.left = `${100 * Math.max(0, left) / image[size][0]}%`; t.style.top = `${100 * Math.max(0, kept ? top : bottom) / image[size][1]}%`;
      if (kept || b[5] >= 0.2) pic.append(t);
    }
    win.append(pic); fig.append(cap, win); pan(win); return fig;
  }));
  move();
  if (!$("view").open) $("view").showModal();
}
function move() {
  document.querySelectorAll(".window .pic").forEach(p => p.style.transform = `translate(${zoom.x}%,${zoom.y}%) scale(${zoom.k})`);
  document.querySelectorAll(".window").forEach(w => w.style.touchAction = zoom.k > 1 ? "none" : "pan-y");   // a finger scrolls, or moves
}
function scale(f, fx = 0.5, fy = 0.5) {
  const k = f ? Math.min(12, Math.max(1, zoom.k * f)) : 1;
  zoom.x = Math.min(0, Math.max(100 - 100 * k, 100 * fx - (100 * fx - zoom.x) * k / zoom.k)); zoom.y = Math.min(0, Math.max(100 - 100 * k, 100 * fy - (100 * fy - zoom.y) * k / zoom.k)); zoom.k = k; move();
}
function pan(win) {
  win.onwheel = e => { e.preventDefault(); const r = win.getBoundingClientRect(); scale(e.deltaY < 0 ? 1.2 : 1 / 1.2, (e.clientX - r.left) / r.width, (e.clientY - r.top) / r.height); };
  win.onpointerdown = e => { win.setPointerCapture(e.pointerId); };
  win.onpointermove = e => { if (!e.buttons) return; const r = win.getBoundingClientRect(), k = zoom.k; zoom.x = Math.min(0, Math.max(100 - 100 * k, zoom.x + 100 * e.movementX / r.width)); zoom.y = Math.min(0, Math.max(100 - 100 * k, zoom.y + 100 * e.movementY / r.height)); move(); };
}
function go(by) { const place = list.indexOf(open); if (list.length) show(list[(Math.max(place, by > 0 && place < 0 ? -1 : place) + by + list.length) % list.length]); }
function toggle(n) { shown[n] = !shown[n]; marks(); if (open >= 0) show(open); near.forEach(draw); }
function marks() {
  $("marks").replaceChildren(...MARKS.flatMap((mark, n) => {
    if (!mark) return [];
    const label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox"; box.checked = shown[n]; box.onchange = () => toggle(n);
    label.append(box, ` ${["kept", "ambiguous", "ignored", "dropped", "student"][n]}`); return [label];
  }));
}
function legend() {
  const c = D.colors[PIXELS ? Math.min(1, D.colors.length - 1) : 0];
  const draw = {kept: PIXELS ? `<rect width="24" height="17" fill="${c}"/>` : `<rect class="kept" x="3" y="3" width="18" height="11" style="stroke:${c}"/>`,
    unsure: PIXELS ? `<rect width="24" height="17" fill="${c}"/><g fill="#fff">${[3, 9, 15, 21].map(x => `<rect x="${x}" y="3" width="2" height="2"/><rect x="${x}" y="11" width="2" height="2"/>`).join("")}</g>` : `<rect class="unsure" x="3" y="3" width="18" height="11" style="stroke:${c}"/>`,
    ignored: `<rect class="ignored" x="3" y="3" width="18" height="11" fill="url(#hatch)"/>`,
    dropped: PIXELS ? `<g stroke="#d7dae0" stroke-width="2">${[0, 7, 14, 21, 28].map(x => `<line x1="${x}" y1="0" x2="${x - 9}" y2="17"/>`).join("")}</g>` : `<rect class="dropped" x="3" y="3" width="18" height="11"/>`,
    student: PIXELS ? `<g fill="#fff">${[2, 10, 18].map(x => `<rect x="${x}" y="3" width="4" height="4"/><rect x="${x + 4}" y="9" width="4" height="4"/>`).join("")}</g>` : `<rect class="student" x="3" y="3" width="18" height="11"/>`};
  $("legend").innerHTML = MARKS.filter(Boolean).map(([n, text]) => `<span><svg viewBox="0 0 24 17" aria-hidden="true">${HATCH}${draw[n]}</svg>${text}</span>`).join("");
}

// ---------------------------------------------------------------- start
$("f-class").append(new Option("all", -1), ...D.classes.map((name, c) => new Option(name, c)));
$("f-class").onchange = e => choose(+e.target.value);
for (const id of ["f-decision", "f-low", "f-high", "f-apart", "f-order"]) $(id).oninput = filter;
$("filters").onsubmit = e => e.preventDefault();
$("limit").oninput = e => setLimit(+e.target.value);
$("reset").onclick = () => { limits.fill(null); refresh(); };
$("close").onclick = () => $("view").close();
$("view").onclose = () => { const i = open; open = -1; if (i >= 0 && !cards[i].hidden) cards[i].focus(); };
document.querySelectorAll("[data-go]").forEach(b => b.onclick = () => go(+b.dataset.go));
document.querySelectorAll("[data-zoom]").forEach(b => b.onclick = () => scale(+b.dataset.zoom));
if (PIXELS) $("opacity").oninput = () => { if (open >= 0) show(open); };
document.addEventListener("keydown", e => {
  if (open < 0 || e.ctrlKey || e.metaKey || e.altKey || e.target.type === "range") return;
  if (e.key === "ArrowRight") go(1); else if (e.key === "ArrowLeft") go(-1);
  else if (e.key === "+" || e.key === "=") scale(1.25); else if (e.key === "-") scale(0.8); else if (e.key === "0") scale(0);
  else if (/^[1-5]$/.test(e.key)) { const n = MARKS.map((m, k) => m && k).filter(k => k !== null)[e.key - 1]; if (n !== undefined) toggle(n); }
  else return;
  e.preventDefault();
});
advise(); legend(); marks(); histogram(); table(); filter();
const asked = /^#(\d+)$/.exec(location.hash);   // index.html#3 opens an image
if (asked && D.images[+asked[1]]) show(+asked[1]);
