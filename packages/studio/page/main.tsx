import { render } from "preact";
import { App } from "./app.tsx";
import type { Engine } from "./engine/engine.ts";
import { ServerEngine } from "./engine/server.ts";
import { Studio } from "./state/studio.ts";
import "./style.css";
import { words } from "./words.ts";

/** What lies beside the page says which engine there is: a server answers this itself, an export holds it as a file. */
interface Place {
  engine: "server" | "browser";
}

const TOKEN = "omni-id-token";

/** The token stands in the address that the server printed; it is kept for this tab, and taken out of the address. */
function token(): string | undefined {
  const given = /[#&]token=([^&]+)/.exec(location.hash)?.[1];
  if (given) {
    sessionStorage.setItem(TOKEN, decodeURIComponent(given));
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(TOKEN) ?? undefined;
}

async function open(): Promise<{ engine: Engine; offline: Promise<boolean> } | undefined> {
  const place = (await (await fetch("studio.json")).json()) as Place;
  if (place.engine === "server") return { engine: new ServerEngine(token()), offline: Promise.resolve(false) };
  const { openInBrowser } = await import("./engine/browser.ts");
  return openInBrowser();
}

document.title = words.title;
const root = document.getElementById("page");
if (root) {
  try {
    const opened = await open();
    // Nothing where the page is about to be loaded once more.
    if (opened) render(<App studio={new Studio(opened.engine)} offline={opened.offline} />, root);
  } catch (error) {
    root.textContent = `${words.errors.open} ${(error as Error).message}`;
  }
}
