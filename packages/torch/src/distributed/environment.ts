import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";

/** Which process of how many this one is, and where they meet. */
export interface Rendezvous {
  rank: number;
  worldSize: number;
  /** Place among the processes of this machine: the number of its graphics card. */
  localRank: number;
  store: { host: string; port: number; serves: boolean };
  /** Which start this is, after failures: the keys of an earlier one are not read again. */
  attempt: string;
}

/**
 * What torchrun, Kubernetes' training operator and our own launcher put into the environment: RANK, WORLD_SIZE,
 * LOCAL_RANK, MASTER_ADDR, MASTER_PORT; under SLURM's srun what it calls SLURM_PROCID, SLURM_NTASKS and SLURM_LOCALID.
 * Undefined for a process that was started alone.
 *
 * @throws when some are there and others are not, or are no numbers
 */
export function rendezvousOf(env: NodeJS.ProcessEnv = process.env): Rendezvous | undefined {
  const given = (name: string, slurm: string) => env[name] ?? (env.MASTER_ADDR ? env[slurm] : undefined);
  const rank = given("RANK", "SLURM_PROCID");
  const worldSize = given("WORLD_SIZE", "SLURM_NTASKS");
  if (rank === undefined && worldSize === undefined) return undefined;
  const host = env.MASTER_ADDR;
  const port = env.MASTER_PORT;
  const missing = Object.entries({ RANK: rank, WORLD_SIZE: worldSize, MASTER_ADDR: host, MASTER_PORT: port })
    .filter(([, value]) => value === undefined || value === "")
    .map(([name]) => name);
  if (missing.length > 0) {
    throw new Error(
      `several processes need RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in the environment; missing: ${missing.join(", ")}`,
    );
  }
  const size = whole("WORLD_SIZE", worldSize, { from: 1 });
  const place = whole("RANK", rank, { from: 0 });
  if (place >= size) throw new Error(`RANK=${place} is not below WORLD_SIZE=${size}; ranks are counted from 0`);
  return {
    rank: place,
    worldSize: size,
    localRank: whole("LOCAL_RANK", given("LOCAL_RANK", "SLURM_LOCALID") ?? "0", { from: 0 }),
    // torchrun and our launcher hold the store themselves, so that it outlives rank 0.
    store: {
      host: host as string,
      port: whole("MASTER_PORT", port, { from: 1, to: 65535 }),
      serves: place === 0 && env.TORCHELASTIC_USE_AGENT_STORE !== "True",
    },
    attempt: env.TORCHELASTIC_RESTART_COUNT ?? "0",
  };
}

function whole(
  name: string,
  text: string | undefined,
  { from, to = Number.MAX_SAFE_INTEGER }: { from: number; to?: number },
): number {
  const value = Number(text);
  if (!/^\d+$/.test(text ?? "") || value < from || value > to)
    throw new Error(`${name}=${text}: expected a whole number from ${from}${to < 1e9 ? ` to ${to}` : ""}`);
  return value;
}

const isLoopback = (address: string) => address.startsWith("127.") || address === "::1" || address === "localhost";

/**
 * The address by which other machines reach this one: that of the interface which leads to the store. Where a machine
 * takes its own name for loopback (Debian's /etc/hosts does), the first address that is not.
 */
export async function ownAddress(host: string, port: number): Promise<string> {
  const towards = await new Promise<string>((resolve) => {
    const socket = createSocket("udp4");
    const end = (address: string) => {
      socket.close();
      resolve(address);
    };
    socket.on("error", () => end("127.0.0.1"));
    socket.connect(port, host, () => end(socket.address().address)); // sends nothing
  });
  if (!isLoopback(towards) || isLoopback(host)) return towards;
  const others = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return others.find(({ internal, family }) => !internal && family === "IPv4")?.address ?? towards;
}
