/**
 * Omni-ID in a browser.
 *
 * @example
 * import { startStudio } from "@omni-id/studio";
 * const { url, close } = await startStudio({ identities: "people" });
 */
export type { About, EncodeAnswer, GenerateAnswer, GenerateRequest, IdentityInfo } from "./api.ts";
export { identityBytes, parseIdentityBytes } from "./identity-file.ts";
export { type AppSettings, studioApp } from "./server/app.ts";
export { type StaticHost, type StaticHostSettings, serveExport } from "./server/static-host.ts";
export { type Studio, type StudioSettings, startStudio } from "./start.ts";
