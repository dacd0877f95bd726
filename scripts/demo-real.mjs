// npm run demo:real: photographs of real people from Labeled Faces in the Wild, and a small model trained on them, from the
// shipped weights, in the background; a picture of validation people every few minutes. Asks before anything is brought.
// usage: demo-real.mjs [--agree] [--data SET]     --data: a set of yours (omni-id data import) instead
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = join(root, "packages/omni-id/bin/omni-id.mjs");
const out = join(root, "runs/demo-real");
const [log, pidFile] = [join(out, "log.txt"), join(out, "pid")];

const given = process.argv.slice(2);
const own = given.indexOf("--data");
if (own >= 0 && !given[own + 1]) fail("--data wants the folder of a set: omni-id data import photos/ -o people/");
const data = own >= 0 ? given[own + 1] : join(root, "data/lfw");
if (own < 0 && !existsSync(join(data, "split.json"))) {
  const fetched = spawnSync(
    process.execPath,
    [bin, "data", "fetch", "lfw", "-o", data, "--photos", join(root, "data/lfw-photos"), ...given],
    { stdio: "inherit" },
  );
  if (fetched.status !== 0) process.exit(fetched.status ?? 1);
}

mkdirSync(out, { recursive: true });
const running = existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) : 0;
if (isAlive(running)) fail(`it is training already (process ${running}); its log: ${log}`);

// Short: about an hour on two cores. More steps, the same way: docs/real-photos.md.
const SHORT = [
  ...["mtd.optimisation.steps=150", "flow.base.optimisation.steps=600", "flow.base.optimisation.muon=0.01"],
  ...["flow.adapter.optimisation.steps=300", "flow.adapter.batch=16", "flow.control.optimisation.steps=150"],
  "flow.guidance.classifierFree=2",
  ...["flow.adapter.likenessAbove=0.4", "flow.adapter.likenessBelow=0.85", "flow.control.batch=32"],
];
const shipped = join(root, "weights/nano");
const args = [
  ...["train", "all", "--data", data, "--cache", join(root, "data/cache"), "--out", out, "--from", shipped],
  ...["--held-out-every", "75", "--save-every", "50", "--set", ...SHORT],
];
mkdirSync(dirname(log), { recursive: true });
const file = openSync(log, "a");
const child = spawn(process.execPath, [bin, ...args], { detached: true, stdio: ["ignore", file, file] });
child.unref();
writeFileSync(pidFile, `${child.pid}\n`);
console.log(`training in the background (process ${child.pid}), about an hour on two cores
  log        ${log}
  pictures   ${join(out, "base")} and ${join(out, "flow")}: held-out-….png, one every few minutes; they show real people
  stop       kill ${child.pid}     (what is done stays; npm run demo:real goes on)
  then       npx omni-id demo photos/*.jpg --weights ${join(out, "weights")}
             npx omni-id evaluate --stage people --data ${data} --weights ${join(out, "weights")} --half trained -o runs/real-people.json`);

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function fail(text) {
  console.error(`demo:real: ${text}`);
  process.exit(1);
}
