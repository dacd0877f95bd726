// One builder at a time: a second process waits for the first instead of writing into the same folder.
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";

/** Who a process is: its number, and when it was started, since numbers are used again. */
function identity(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined; // no such process
  }
}

function read(file) {
  try {
    if (!statSync(file).isDirectory()) return readFileSync(file, "utf8");
    // Earlier versions made a folder, and wrote the pid into it a moment later: without one its maker was killed.
    return existsSync(join(file, "pid")) ? readFileSync(join(file, "pid"), "utf8") : "";
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** The lock is a file that is there with its owner's identity or not at all: a link to one that was written before. */
function take(lock) {
  const own = `${lock}.${process.pid}`;
  writeFileSync(own, identity(process.pid) ?? String(process.pid));
  try {
    linkSync(own, lock);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Removes the lock of a process that is gone; puts it back where another one took it meanwhile. */
function removeStale(lock) {
  const owner = read(lock);
  if (owner === undefined) return;
  const pid = Number(owner.split(" ")[0]);
  if (owner && (owner.includes(" ") ? identity(pid) === owner : existsSync(`/proc/${pid}`))) return;
  const aside = `${lock}.stale.${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch (error) {
    if (error.code === "ENOENT") return;
    throw error;
  }
  if (read(aside) !== owner) linkSync(aside, lock);
  rmSync(aside, { recursive: true, force: true });
}

/** Runs `work` while holding the lock file; waits as long as another living process holds it. */
export async function withLock(lock, work, { wait = 500 } = {}) {
  mkdirSync(dirname(lock), { recursive: true });
  while (!take(lock)) {
    removeStale(lock);
    if (existsSync(lock)) await new Promise((resolve) => setTimeout(resolve, wait));
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}
