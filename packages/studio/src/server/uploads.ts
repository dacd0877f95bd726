import multipart, { type Multipart } from "@fastify/multipart";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { PhotoBytes } from "../engine/tasks.ts";
import type { Budget } from "./budget.ts";
import { Refused } from "./guard.ts";

/** What uploads may take. They lie in memory, and are never written to a disk. */
export interface UploadLimits {
  /** Photos a request. */
  photos: number;
  photoBytes: number;
  /** Bytes a request. */
  requestBytes: number;
}

export const UPLOAD_LIMITS: UploadLimits = { photos: 100, photoBytes: 60_000_000, requestBytes: 300_000_000 };

/** A form: its files by the order in which they came, its other fields by name. */
export interface Upload {
  files: PhotoBytes[];
  fields: Record<string, string>;
}

export async function acceptUploads(app: FastifyInstance, limits: UploadLimits): Promise<void> {
  await app.register(multipart, {
    limits: {
      files: limits.photos,
      fileSize: limits.photoBytes,
      fields: 20,
      fieldSize: 10_000,
      parts: limits.photos + 20,
      headerPairs: 40,
    },
    throwFileSizeLimit: false,
  });
}

/**
 * Reads a form into memory, of which `budget` says how much there is for all requests.
 * @throws {Refused} when it is no form, or larger than allowed; the rest of it is not read then
 */
export async function readUpload(
  request: FastifyRequest,
  limits: UploadLimits,
  share: ReturnType<Budget["open"]>,
): Promise<Upload> {
  if (!request.isMultipart()) throw new Refused(415, "send a form (multipart/form-data) with the photos in it");
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > limits.requestBytes) throw tooLarge(limits);
  const upload: Upload = { files: [], fields: {} };
  let total = 0;
  try {
    for await (const part of request.parts()) {
      if (part.type === "field") {
        upload.fields[part.fieldname] = String(part.value);
        continue;
      }
      const chunks: Uint8Array[] = [];
      for await (const chunk of part.file as AsyncIterable<Uint8Array>) {
        total += chunk.length;
        if (total > limits.requestBytes) throw tooLarge(limits);
        share.take(chunk.length);
        chunks.push(chunk);
      }
      if (part.file.truncated) {
        throw new Refused(413, `${nameOf(part)}: larger than ${mega(limits.photoBytes)}; save it smaller`);
      }
      upload.files.push({ name: nameOf(part), bytes: new Uint8Array(Buffer.concat(chunks)) });
    }
  } catch (error) {
    throw told(error as Error & { code?: string }, limits);
  }
  return upload;
}

function told(error: Error & { code?: string }, limits: UploadLimits): Error {
  switch (error.code) {
    case "FST_FILES_LIMIT":
    case "FST_PARTS_LIMIT":
      return new Refused(413, `more than ${limits.photos} photos at once; choose the best ones`);
    case "FST_FIELDS_LIMIT":
      return new Refused(413, "the form has more fields than it should");
    default:
      return error;
  }
}

/** The last part of a file's name, as a person knows it. */
function nameOf({ filename }: Extract<Multipart, { type: "file" }>): string {
  const name = (filename ?? "").split(/[/\\]/).at(-1) ?? "";
  return [...name].slice(0, 120).join("") || "photo";
}

const tooLarge = ({ requestBytes }: UploadLimits) =>
  new Refused(413, `more than ${mega(requestBytes)} at once; send fewer photos, or smaller ones`);
const mega = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
