import { readdirSync } from "node:fs";
import { join } from "node:path";
import { FaceAnalyser } from "@omni-id/face";
import { F, noGrad, scope, stack } from "@omni-id/torch";
import { IdentityEncoder, loadEncoder } from "omni-id";
import { rocAuc } from "./dist/evaluate/statistics.js";

const [weights, folder] = process.argv.slice(2);
const enc = await loadEncoder(weights);
const maker = await IdentityEncoder.create(enc);
const faces = await FaceAnalyser.load();
const men = [],
  strangers = [];
for (const p of readdirSync(folder))
  for (const f of readdirSync(join(folder, p))) {
    const path = join(folder, p, f);
    try {
      const r = await maker.encode([path]);
      const rec = await faces.recognise(r.used[0].image, r.used[0].face.landmarks);
      (p === "man" ? men : strangers).push({ path, tokens: r.identity.tokens, rec });
    } catch (e) {
      console.log(p, e.message.slice(0, 80));
    }
  }
const b = enc.bundle;
const forms = {
  standard: (t) => b.compared(t.unsqueeze(0)).squeeze(0),
  readout: (t) =>
    scope(() => noGrad(() => F.normalize(b.recognition.forward(t.flatten(0).unsqueeze(0)), { dim: 1 }).squeeze(0))),
};
const sim = (a, c) => scope(() => a.mul(c).sum().item());
const sets = { 1: [], 3: [], 5: [] };
for (const n of [1, 3, 5])
  for (let i = 0; i < men.length; i++) {
    const pl = Array.from({ length: n }, (_, k) => (i + 1 + k) % men.length);
    sets[n].push(n === 1 ? men[pl[0]].tokens : (await maker.encode(pl.map((x) => men[x].path))).identity.tokens);
  }
for (const [name, f] of Object.entries(forms))
  for (const n of [1, 3, 5]) {
    const pos = [],
      neg = [];
    for (let i = 0; i < men.length; i++) {
      const g = f(sets[n][i]).keep();
      pos.push(sim(g, f(men[i].tokens)));
      for (const s of strangers) neg.push(sim(g, f(s.tokens)));
    }
    const m = (v) => v.reduce((a, c) => a + c) / v.length;
    console.log(name, n, rocAuc(pos, neg).toFixed(4), "pos", m(pos).toFixed(3), "neg", m(neg).toFixed(3));
  }
