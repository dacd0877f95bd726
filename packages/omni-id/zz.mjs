import { readdirSync, readFileSync } from "node:fs";
import { KeyedRandom } from "@omni-id/data";
import { decideVideo } from "../data/dist/curate/decide.js";
import { parseFrame } from "../data/dist/curate/observation.js";
import { curateSettings } from "../data/dist/curate/settings.js";
import { shapeDistance } from "./dist/evaluate/film-truth.js";

const dir = "/root/omni/curate-tmp/e1/";
const settings = curateSettings("nano", process.argv.slice(2));
const mean = (a) => a.reduce((s, x) => s + x, 0) / a.length;
const rows = { cur: [], ran: [], eq: [] };
let kinds = [];
const sc = (fs) => {
  const d = [];
  const tw = new Set();
  const tm = [];
  fs.forEach((a, i) =>
    fs.slice(i + 1).forEach((b) => {
      d.push(Math.hypot(a.t.pose.yaw - b.t.pose.yaw, a.t.pose.pitch - b.t.pose.pitch));
      if (shapeDistance(a.t, b.t) < 0.01) {
        tw.add(a).add(b);
      }
    }),
  );
  return [
    mean(d),
    new Set(fs.map((f) => Math.floor(f.t.pose.yaw / 10) + " " + Math.floor(f.t.pose.pitch / 10))).size,
    mean(fs.map((f) => f.s.quality)),
    mean(fs.map((f) => f.t.blur)),
    tw.size / fs.length,
  ];
};
for (const f of readdirSync(dir + "obs")) {
  const name = f.slice(0, -6);
  const lines = readFileSync(dir + "obs/" + f, "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .filter((l) => l.startsWith('{"n"'));
  const frames = lines.map(parseFrame);
  const truth = JSON.parse(readFileSync(dir + "films/" + name + ".truth.json"));
  const dec = decideVideo([frames], settings);
  const tr = (pf) => {
    const fr = frames[pf.frame];
    const tf = truth.frames[Math.min(truth.frames.length - 1, Math.round(fr.t * truth.film.fps))];
    const x = pf.seen.box.x + pf.seen.box.width / 2;
    return tf.faces.slice().sort((a, b) => Math.abs(a.landmarks[60] - x) - Math.abs(b.landmarks[60] - x))[0];
  };
  for (const p of dec.people) {
    const pool = p.faces.map((pf) => ({ s: pf.seen, t: tr(pf), pf }));
    if (!p.chosen.length) {
      console.log(name, "no eight of", pool.length);
      continue;
    }
    const r = new KeyedRandom(1, rows.cur.length);
    rows.cur.push(sc(pool.filter((x) => p.chosen.includes(x.pf))));
    const dr = Array.from({ length: 200 }, () => sc(r.choose(pool.length, 8).map((i) => pool[i])));
    rows.ran.push(dr[0].map((_, k) => mean(dr.map((d) => d[k]))));
    rows.eq.push(sc(Array.from({ length: 8 }, (_, i) => pool[Math.round((i * (pool.length - 1)) / 7)])));
    kinds.push(name + " " + pool.length);
  }
}
if (process.env.V)
  rows.cur.forEach((c, i) =>
    console.log(
      kinds[i].padEnd(18),
      [c, rows.ran[i], rows.eq[i]].map((x) => x.map((v) => v.toFixed(2)).join(" ")).join(" | "),
    ),
  );
for (const [k, v] of Object.entries(rows))
  console.log(k, v.length, v[0].map((_, j) => mean(v.map((x) => x[j])).toFixed(3)).join(" "));
console.log("ratio", mean(rows.cur.map((c, i) => c[0] / rows.ran[i][0])).toFixed(3));
