"use strict";
// The page asks the board again and again; nothing is pushed, so a board that is slow is asked more seldom.

const STATE_MS = 1000, LIVE_MS = 400, EVENTS_MS = 3000, LIVE_RETRY_MS = 2000, START_RETRY_MS = 5000, PLOT_S = 180, PAGE = 50;
const $ = (id) => document.getElementById(id);
const cameras = new Map();
let board = null, running = 0, lastNow = null;

class LoggedOut extends Error {}

async function ask(path, options) {
  const limit = AbortSignal.timeout(10000);
  const answer = await fetch(path, { cache: "no-store", credentials: "same-origin", signal: limit, ...options });
  if (answer.status === 401) throw new LoggedOut();
  if (!answer.ok) throw new Error(`${answer.status}: ${(await answer.text()).trim()}`);
  return answer;
}

const json = async (path) => (await ask(path)).json();
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Repeats until the session ends; `work` may say how long to wait. What it learns for a session that has ended is dropped.
async function repeat(work, ms) {
  const mine = running;
  while (mine === running) {
    let wait = ms;
    try {
      if (!document.hidden) wait = (await work()) || ms;
    } catch (error) {
      if (mine !== running) return;
      if (error instanceof LoggedOut) return showLogIn();
      summary("The board does not answer", true);
    }
    await pause(wait);
  }
}

// Written when it changes alone: it is read aloud.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function summary(text, isBad) {
  write($("summary"), text);
  $("summary").classList.toggle("bad", isBad);
}

function badge(element, text, kind) {
  element.textContent = text;
  element.className = `badge ${kind}`;
}

// ---- log-in ----

function showLogIn() {
  running += 1;
  $("player").close();
  $("cameras").replaceChildren();
  $("events").replaceChildren();
  cameras.clear();
  events.clear();
  $("board").hidden = $("log-out").hidden = true;
  $("log-in").hidden = false;
  summary("", false);
  $("token").focus();
}

$("log-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = $("token").value.trim();
  $("token").value = "";
  $("log-in-error").textContent = "";
  try {
    const body = JSON.stringify({ token });
    await ask("api/session", { method: "POST", headers: { "content-type": "application/json" }, body });
    await start();
  } catch (error) {
    $("log-in-error").textContent =
      error instanceof LoggedOut ? "That is not the token of this board." : "The board does not answer.";
  }
});

$("log-out").addEventListener("click", async () => {
  try {
    await ask("api/session", { method: "DELETE" });
    showLogIn();
  } catch {
    write($("told"), "Not logged out: the board does not answer.");
  }
});

// ---- cameras ----

function addCamera(shown) {
  const card = $("camera-template").content.firstElementChild.cloneNode(true);
  card.dataset.camera = shown.id;
  card.querySelector(".name").textContent = shown.id;
  const svg = card.querySelector("svg");
  for (const kind of ["zone", "mask"]) {
    for (const area of shown[`${kind}s`]) {
      const polygon = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
      polygon.setAttribute("points", area.points.map((point) => point.join(",")).join(" "));
      polygon.setAttribute("class", kind);
      svg.append(polygon);
    }
  }
  $("cameras").append(card);
  const camera = { id: shown.id, card, next: 0, points: [], isVisible: true };
  new IntersectionObserver(([entry]) => { camera.isVisible = entry.isIntersecting; }).observe(card);
  cameras.set(shown.id, camera);
  return camera;
}

async function showLive(camera) {
  if (!camera.isVisible) return LIVE_MS;
  const image = camera.card.querySelector(".picture img");
  const none = camera.card.querySelector(".no-picture");
  const path = `api/cameras/${camera.id}/live.jpg?heat=${$("heat").checked}`;
  try {
    const url = URL.createObjectURL(await (await ask(path)).blob());
    await new Promise((done, failed) => { image.onload = done; image.onerror = failed; image.src = url; });
    URL.revokeObjectURL(url);
    image.hidden = false;
    image.alt = `Camera ${camera.id}, now`;
    none.hidden = true;
    camera.card.querySelector(".picture").style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
    return LIVE_MS;
  } catch (error) {
    if (error instanceof LoggedOut) throw error;
    none.textContent = "The camera gives no picture now";
    none.hidden = false;
    return LIVE_RETRY_MS;
  }
}

async function showScores(camera, mine) {
  const part = await json(`api/cameras/${camera.id}/scores?from=${camera.next}`);
  if (mine !== running) return;
  if (part.next < camera.next) camera.points = [];
  camera.next = part.next;
  camera.points.push(...part.points);
  if (lastNow !== null) {
    camera.points = camera.points.filter((point) => point.at_ms > lastNow - PLOT_S * 1000);
    plot(camera);
  }
}

function plot(camera) {
  const canvas = camera.card.querySelector("canvas");
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const dots = window.devicePixelRatio || 1;
  canvas.width = width * dots;
  canvas.height = height * dots;
  const pen = canvas.getContext("2d");
  pen.scale(dots, dots);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const x = (ms) => width - ((lastNow - ms) / (PLOT_S * 1000)) * width;
  const y = (score) => 6 + (1 - score) * (height - 22);
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = colour("--soft");
  pen.strokeStyle = colour("--line");
  for (const score of [0, 0.5, 1]) {
    pen.beginPath(); pen.moveTo(0, y(score)); pen.lineTo(width, y(score)); pen.stroke();
  }
  pen.fillText(`${PLOT_S / 60} min ago`, 2, height - 3);
  pen.textAlign = "right";
  pen.fillText("now", width - 2, height - 3);
  const line = (value, name, dash) => {
    pen.beginPath();
    pen.setLineDash(dash);
    pen.strokeStyle = colour(name);
    pen.lineWidth = 1.75;
    camera.points.forEach((point, at) => {
      const before = camera.points[at - 1];
      const isGap = !before || point.at_ms - before.at_ms > 20000;
      isGap ? pen.moveTo(x(point.at_ms), y(value(point))) : pen.lineTo(x(point.at_ms), y(value(point)));
    });
    pen.stroke();
    pen.setLineDash([]);
  };
  line((point) => point.threshold, "--bad", [5, 4]);
  line((point) => point.score, "--accent", []);
  const last = camera.points[camera.points.length - 1];
  canvas.setAttribute("aria-label", last
    ? `Score of camera ${camera.id}: ${last.score.toFixed(2)} of 1, alarm from ${last.threshold.toFixed(2)} on`
    : `No score of camera ${camera.id} yet`);
}

const WHY = { key: "by the key switch", schedule: "by the schedule", command: "by command", snooze: "snoozed" };

function showCamera(camera, told) {
  const mark = camera.card.querySelector(".badge");
  camera.card.classList.toggle("alarm", Boolean(told.event));
  if (told.event) badge(mark, "event", "bad");
  else if (told.state !== "live") badge(mark, told.state, told.state === "starting" ? "warn" : "bad");
  else if (told.picture_fault) badge(mark, `picture ${told.picture_fault}`, "warn");
  else if (told.armed === false) badge(mark, `disarmed ${told.disarmed_by.map((by) => WHY[by] || by).join(", ")}`, "warn");
  else badge(mark, "armed", "ok");
  const score = told.score === null ? "no score yet" : `score ${told.score.toFixed(2)}`;
  const raise = told.raise_threshold === null ? "" : `, alarm from ${told.raise_threshold.toFixed(2)} on`;
  camera.card.querySelector(".figures").textContent = score + raise;
}

// ---- the board ----

function duration(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  return days ? `${days} d ${hours} h` : hours ? `${hours} h ${minutes} min` : `${minutes} min`;
}

async function showState() {
  const mine = running;
  const state = await json("api/state");
  if (mine !== running) return;
  lastNow = state.now_ms;
  for (const [id, told] of Object.entries(state.cameras)) {
    if (cameras.has(id)) showCamera(cameras.get(id), told);
  }
  const all = Object.values(state.cameras);
  const ongoing = all.filter((told) => told.event).length;
  const watched = all.filter((told) => told.state === "live" && !told.picture_fault && told.armed).length;
  const wrong = state.degraded.length;
  const says = [];
  if (ongoing) says.push(ongoing === 1 ? "An event goes on" : `${ongoing} events go on`);
  if (watched < all.length) says.push(`${watched} of ${all.length} cameras watched`);
  if (wrong) says.push(wrong === 1 ? "one thing is wrong" : `${wrong} things are wrong`);
  summary(says.join(", ") || "Watching", says.length > 0);
  $("degraded").replaceChildren(...state.degraded.map((reason) => {
    const item = document.createElement("li");
    item.textContent = reason;
    return item;
  }));
  const hub = { true: "reached", false: "not reached", null: "none, the board works alone" };
  const facts = {
    "Hub": hub[state.connected],
    "Waiting for the hub": state.outbox_depth === 1 ? "1 record" : `${state.outbox_depth} records`,
    "Up for": duration(state.uptime_s),
    "Model": board.model,
    "Program": `watchpostd ${state.version}`,
    "Boot": state.boot,
  };
  $("facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => {
    const [term, text] = [document.createElement("dt"), document.createElement("dd")];
    [term.textContent, text.textContent] = [name, value];
    return [term, text];
  }));
  await Promise.all([...cameras.values()].map((camera) => showScores(camera, mine)));
}

// ---- events ----

const events = new Map();
let older = [], isFull = false, playing = null;

function eventItem(event) {
  let item = events.get(event.id);
  if (!item) {
    item = $("event-template").content.firstElementChild.cloneNode(true);
    item.dataset.event = event.id;
    item.querySelector("button").addEventListener("click", () => play(item.event));
    events.set(event.id, item);
  }
  item.event = event;
  const when = event.wall_clock_ms === null ? "time not known" : new Date(event.wall_clock_ms).toLocaleString();
  item.querySelector(".when").textContent = when;
  item.querySelector(".what").textContent = `${event.camera}, event ${event.number}, peak ${event.peak.toFixed(2)}`;
  const kind = event.severity === "critical" ? "bad" : "warn";
  badge(item.querySelector(".badge"), event.is_over ? event.severity : `${event.severity}, goes on`, kind);
  const image = item.querySelector("img");
  if (event.snapshot && image.getAttribute("src") !== event.snapshot) image.src = event.snapshot;
  image.hidden = !event.snapshot;
  item.querySelector("button").disabled = !event.snapshot && !event.clip;
  if (playing === event.id) showPlayer(event);
  return item;
}

// Touched only where it changed: who is about to press something keeps it.
function showList(list) {
  const items = list.map(eventItem);
  const shown = [...$("events").children];
  if (items.length !== shown.length || items.some((item, at) => item !== shown[at])) $("events").replaceChildren(...items);
  const known = new Set(list.map((event) => event.id));
  for (const id of events.keys()) if (!known.has(id)) events.delete(id);
  $("no-events").hidden = list.length > 0;
  $("older").hidden = !isFull;
}

async function showEvents() {
  const mine = running;
  const newest = await json(`api/events?limit=${PAGE}`);
  if (mine !== running) return;
  if (!older.length) isFull = newest.length === PAGE;
  const known = new Set(newest.map((event) => event.id));
  showList([...newest, ...older.filter((event) => !known.has(event.id))]);
}

$("older").addEventListener("click", async () => {
  const mine = running;
  const last = $("events").lastElementChild;
  if (!last) return;
  try {
    const more = await json(`api/events?limit=${PAGE}&before=${encodeURIComponent(last.event.id)}`);
    if (mine !== running) return;
    const shown = [...$("events").children].map((item) => item.event);
    // New ones push others out of the newest: they stay where they were.
    older = [...shown, ...more];
    isFull = more.length === PAGE;
    showList(older);
  } catch (error) {
    if (error instanceof LoggedOut) showLogIn();
  }
});

// Its video may be complete only a while after it is opened.
function showPlayer(event) {
  write($("player-title"), `${event.camera}, event ${event.number}`);
  for (const [element, address] of [[$("clip"), event.clip], [$("snapshot"), event.snapshot]]) {
    element.hidden = !address;
    if (address && element.getAttribute("src") !== address) element.src = address;
  }
}

function play(event) {
  playing = event.id;
  showPlayer(event);
  $("player").showModal();
}

$("close").addEventListener("click", () => $("player").close());
$("player").addEventListener("close", () => {
  playing = null;
  $("clip").removeAttribute("src");
  $("clip").load();
});

// ---- commands ----

const DONE = { acknowledge: "Silenced.", disarm: "All cameras are disarmed.", arm: "All cameras are armed by command." };

function refusal(error) {
  try {
    return JSON.parse(error.message.replace(/^\d+: /, "")).error;
  } catch {
    return error.message;
  }
}

for (const button of document.querySelectorAll("[data-command]")) {
  button.addEventListener("click", async () => {
    const command = button.dataset.command;
    if (command === "disarm" && !confirm("Disarm all cameras? No alarm is raised until they are armed again.")) return;
    try {
      const body = JSON.stringify({ command });
      await ask("api/command", { method: "POST", headers: { "content-type": "application/json" }, body });
      write($("told"), DONE[command]);
    } catch (error) {
      if (error instanceof LoggedOut) showLogIn();
      else write($("told"), `Not done: ${refusal(error)}`);
    }
  });
}

// ---- start ----

async function start() {
  board = await json("api/board");
  running += 1;
  older = [];
  write($("told"), "");
  $("log-in").hidden = true;
  $("board").hidden = $("log-out").hidden = false;
  document.title = `${board.board}, ${board.site} – Watchpost`;
  $("title").textContent = `${board.board}, ${board.site}`;
  $("heat-switch").hidden = !board.heat;
  $("actions").hidden = !board.commands;
  $("areas-switch").hidden = !board.cameras.some((camera) => camera.masks.length + camera.zones.length);
  $("cameras").replaceChildren();
  cameras.clear();
  repeat(showState, STATE_MS);
  repeat(showEvents, EVENTS_MS);
  for (const shown of board.cameras) {
    const camera = addCamera(shown);
    repeat(() => showLive(camera), LIVE_MS);
  }
}

function showAreas() {
  $("cameras").classList.toggle("without-areas", !$("areas").checked);
}

$("areas").addEventListener("change", showAreas);

async function begin() {
  showAreas();
  for (;;) {
    try {
      return await start();
    } catch (error) {
      if (error instanceof LoggedOut) return showLogIn();
      summary("The board does not answer", true);
    }
    await pause(START_RETRY_MS);
  }
}

begin();
