import { useEffect, useRef, useState } from "preact/hooks";
import type { PilePhoto } from "../state/pile.ts";
import type { Studio } from "../state/studio.ts";
import { words } from "../words.ts";
import { FileButton } from "./file-button.tsx";
import { TaskProgress } from "./progress.tsx";

/** Where photos come in, and what became of each. */
export function Photos({ studio }: { studio: Studio }) {
  const { photos } = words;
  const over = useDrop((files) => void studio.add(files));
  const pile = studio.pile.value;
  const taken = pile.filter(({ state }) => state === "good").length;
  return (
    <section class="card" aria-labelledby="photos-title">
      <h2 id="photos-title">{photos.title}</h2>
      <div class={over ? "drop over" : "drop"}>
        <span class="drop-word">{photos.drop}</span>
        <FileButton
          primary
          multiple
          onFiles={(files) => void studio.add(files)}
          accept="image/*,.heic,.heif,.safetensors"
        >
          {photos.choose}
        </FileButton>
        <small>{photos.hint}</small>
      </div>
      <div class="row">
        <label class="grow">
          <span>{photos.name}</span>
          <input
            type="text"
            value={studio.name.value}
            placeholder={photos.namePlaceholder}
            maxLength={60}
            autocomplete="off"
            onInput={(event) => {
              studio.name.value = event.currentTarget.value;
            }}
          />
        </label>
        {pile.length > 0 && (
          <button type="button" onClick={() => studio.newPerson()}>
            {photos.again}
          </button>
        )}
      </div>
      <TaskProgress task={studio.encoding} work={photos.working} />
      {pile.length > 0 && !studio.encoding.running && <p class="summary">{photos.taken(taken, pile.length)}</p>}
      {studio.warnings.value.map((warning) => (
        <p class="note" key={warning}>
          <strong>{photos.warnings}:</strong> {warning}
        </p>
      ))}
      <ul class="pile">
        {pile.map((photo) => (
          <PileRow key={photo.file.name} photo={photo} onRemove={() => void studio.remove(photo)} />
        ))}
      </ul>
    </section>
  );
}

function PileRow({ photo, onRemove }: { photo: PilePhoto; onRemove: () => void }) {
  const { photos } = words;
  const { file, state, face, reason, quality, pose } = photo;
  const word = { good: photos.good, refused: photos.refused, waits: photos.waits }[state];
  const detail =
    state === "good" && pose ? `${photos.facing(pose.yaw, pose.pitch)}, ${photos.quality(quality ?? 0)}` : reason;
  return (
    <li class={`photo ${state}`}>
      {face ? <img src={face} alt="" width="56" height="56" /> : <Thumbnail file={file} />}
      <div>
        <span class="name">{file.name}</span>
        <span class="state">{word}</span>
        {detail && <span class="detail">{detail}</span>}
      </div>
      <button
        type="button"
        class="quiet"
        aria-label={photos.remove(file.name)}
        title={photos.remove(file.name)}
        onClick={onRemove}
      >
        ✕
      </button>
    </li>
  );
}

/** Files may be dropped anywhere on the page; the button does the same for keyboards. @returns whether some are over it */
function useDrop(take: (files: File[]) => void): boolean {
  const [over, setOver] = useState(false);
  const taker = useRef(take);
  taker.current = take;
  useEffect(() => {
    const onOver = (event: DragEvent) => {
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      event.preventDefault();
      setOver(false);
      taker.current([...(event.dataTransfer?.files ?? [])]);
    };
    addEventListener("dragover", onOver);
    addEventListener("dragleave", onLeave);
    addEventListener("drop", onDrop);
    return () => {
      removeEventListener("dragover", onOver);
      removeEventListener("dragleave", onLeave);
      removeEventListener("drop", onDrop);
    };
  }, []);
  return over;
}

/** The photo itself, small; a square where the browser cannot show it. */
function Thumbnail({ file }: { file: File }) {
  const image = useRef<HTMLImageElement>(null);
  const [shown, setShown] = useState(true);
  useEffect(() => {
    const address = URL.createObjectURL(file);
    if (image.current) image.current.src = address;
    return () => URL.revokeObjectURL(address);
  }, [file]);
  return shown ? (
    <img ref={image} alt="" width="56" height="56" loading="lazy" onError={() => setShown(false)} />
  ) : (
    <span class="no-picture" aria-hidden="true" />
  );
}
