import type { Studio } from "../state/studio.ts";
import { words } from "../words.ts";
import { FileButton } from "./file-button.tsx";
import { TaskProgress } from "./progress.tsx";

/** An identity drawn into a photo of which the decoder sees 5 %. */
export function Reconstruct({ studio }: { studio: Studio }) {
  const { reconstruct } = words;
  const answer = studio.reconstruction.value;
  const nobody = studio.first.value === undefined;
  return (
    <section class="card" aria-labelledby="reconstruct-title">
      <h2 id="reconstruct-title">{reconstruct.title}</h2>
      <p class="hint">{reconstruct.about}</p>
      <p>
        <FileButton disabled={nobody} onFiles={([photo]) => photo && void studio.reconstruct(photo)}>
          {reconstruct.choose}
        </FileButton>{" "}
        {nobody && <small>{reconstruct.none}</small>}
      </p>
      <TaskProgress task={studio.reconstructing} work={words.draw.step} />
      {answer && (
        <ul class="maps">
          <Shown address={answer.target} label={reconstruct.target} />
          <Shown address={answer.visible} label={reconstruct.visible} />
          {answer.made.map(({ id, picture, l1 }) => (
            <Shown
              key={id}
              address={picture}
              label={reconstruct.made(studio.nameOf(id) ?? id)}
              detail={reconstruct.l1(l1.toFixed(3))}
            />
          ))}
        </ul>
      )}
    </section>
  );
}

function Shown({ address, label, detail }: { address: string; label: string; detail?: string }) {
  return (
    <li>
      <img src={address} alt={label} width="128" height="128" />
      <small>
        {label}
        {detail && (
          <>
            <br />
            {detail}
          </>
        )}
      </small>
    </li>
  );
}
