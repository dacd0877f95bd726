// Processor time of the commands that must be quick, each as a whole process: the least of three runs, in seconds. The
// machine's own Node takes part of it, which is told beside. → one JSON line
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { renderPictures } from "@omni-id/data";
import { saveImage } from "@omni-id/face";

const bin = fileURLToPath(new URL("../packages/omni-id/bin/omni-id.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "omni-id-quick-"));

function seconds(...args) {
  const runs = Array.from({ length: 3 }, () => {
    // The processor time of children alone: what they add to it.
    const before = childSeconds();
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}\n${stderr}`);
    return childSeconds() - before;
  });
  return Math.min(...runs);
}

/** User and system time of all children that have ended, in seconds (proc(5): cutime, cstime in hundredths). */
function childSeconds() {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1].split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

try {
  const { images } = await renderPictures({ seed: 1, identity: 5, images: 1, size: 640 });
  await saveImage(join(folder, "photo.jpg"), images[0].image);
  const command = (...args) => seconds(bin, ...args);
  const encode = command("encode", "photo.jpg", "-o", "a.safetensors");
  spawnSync(process.execPath, [bin, "data", "synth", "--identities", "8", "-o", "set"], { cwd: folder });
  const quick = {
    compare: command("compare", "a.safetensors", "a.safetensors"),
    inspect: command("data", "inspect", "set"),
    models: command("models"),
    doctor: command("doctor"),
  };
  console.log(
    JSON.stringify({ seconds: Math.max(...Object.values(quick)), encode, ...quick, node: seconds("-e", "0") }),
  );
} finally {
  rmSync(folder, { recursive: true });
}
