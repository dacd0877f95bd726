import type { Signal } from "@preact/signals";
import type { Studio } from "../state/studio.ts";
import { words } from "../words.ts";
import { FileButton } from "./file-button.tsx";
import { Pictures } from "./pictures.tsx";
import { TaskProgress } from "./progress.tsx";

/** What pictures depend on, and the pictures. */
export function Draw({ studio }: { studio: Studio }) {
  const { draw } = words;
  const models = studio.models.value;
  if (models && !models.canDraw) {
    return (
      <section class="card">
        <h2>{draw.title}</h2>
        <p>{draw.cannot}</p>
      </section>
    );
  }
  return (
    <section class="card draw" aria-labelledby="draw-title">
      <h2 id="draw-title">{studio.title.value}</h2>
      <Pictures studio={studio} />
      <div class="row">
        <button type="button" class="primary" disabled={!models} onClick={() => void studio.draw()}>
          {draw.button}
        </button>
        <button type="button" onClick={() => studio.otherNoise()}>
          {draw.otherNoise}
        </button>
        <label class="check">
          <input
            type="checkbox"
            checked={studio.live.value}
            onChange={(event) => {
              studio.live.value = event.currentTarget.checked;
            }}
          />
          {draw.live}
        </label>
      </div>
      <TaskProgress task={studio.drawing} work={draw.step} />
      <div class="controls">
        <PoseControls studio={studio} />
        <fieldset>
          <legend class="unseen">{draw.prompt}</legend>
          {studio.second.value && <Mix studio={studio} />}
          <Words studio={studio} />
          <Numbers studio={studio} />
        </fieldset>
      </div>
      {models && <p class="hint">{draw.small(models.imageSize)}</p>}
    </section>
  );
}

function PoseControls({ studio }: { studio: Studio }) {
  const { draw } = words;
  const asPhoto = studio.asPhoto.value;
  return (
    <fieldset>
      <legend class="unseen">{draw.yaw}</legend>
      {asPhoto ? (
        <div class="row">
          <span class="grow">{draw.asPhotoOf(asPhoto.name)}</span>
          <button
            type="button"
            onClick={() => {
              studio.asPhoto.value = undefined;
              studio.changed();
            }}
          >
            {draw.notAsPhoto}
          </button>
        </div>
      ) : (
        <>
          <Slider studio={studio} label={draw.yaw} value={studio.yaw} most={60} told={draw.yawValue} />
          <Slider studio={studio} label={draw.pitch} value={studio.pitch} most={30} told={draw.pitchValue} />
          <label>
            <span>{draw.expression}</span>
            <select
              value={studio.expression.value}
              onChange={(event) => {
                studio.expression.value = event.currentTarget.value;
                studio.changed();
              }}
            >
              {(studio.models.value?.expressions ?? ["neutral"]).map((name) => (
                <option key={name} value={name}>
                  {words.expressions[name] ?? name}
                </option>
              ))}
            </select>
          </label>
        </>
      )}
      <FileButton onFiles={([photo]) => photo && void studio.takePose(photo)}>{draw.asPhoto}</FileButton>
    </fieldset>
  );
}

interface SliderProperties {
  studio: Studio;
  label: string;
  value: Signal<number>;
  most: number;
  told: (value: number) => string;
}

function Slider({ studio, label, value, most, told }: SliderProperties) {
  return (
    <label>
      <span>
        {label} <span class="value">{words.draw.degrees(value.value)}</span>
      </span>
      <input
        type="range"
        min={-most}
        max={most}
        step="5"
        value={value.value}
        aria-valuetext={told(value.value)}
        onInput={(event) => {
          value.value = event.currentTarget.valueAsNumber;
          studio.changed();
        }}
        onDblClick={() => {
          value.value = 0;
          studio.changed();
        }}
      />
    </label>
  );
}

function Mix({ studio }: { studio: Studio }) {
  const name = studio.nameOf(studio.second.value) ?? "";
  const percent = Math.round(100 * studio.share.value);
  return (
    <label>
      <span>
        {words.draw.share(name)} <span class="value">{percent} %</span>
      </span>
      <input
        type="range"
        min="0"
        max="100"
        step="5"
        value={percent}
        aria-valuetext={`${percent} %`}
        onInput={(event) => {
          studio.share.value = event.currentTarget.valueAsNumber / 100;
          studio.changed();
        }}
      />
    </label>
  );
}

function Words({ studio }: { studio: Studio }) {
  const { draw } = words;
  const known = studio.models.value?.words ?? [];
  const unknown = studio.unknownWords.value;
  const append = (word: string) => {
    const before = studio.prompt.value.trim();
    studio.prompt.value = before ? `${before}, ${word}` : word;
    studio.changed();
  };
  return (
    <div>
      <label>
        <span>{draw.prompt}</span>
        <input
          type="text"
          value={studio.prompt.value}
          placeholder={draw.promptPlaceholder}
          maxLength={500}
          autocomplete="off"
          onInput={(event) => {
            studio.prompt.value = event.currentTarget.value;
          }}
          onChange={() => studio.changed()}
        />
      </label>
      {unknown.length > 0 && <p class="note">{draw.unknown(unknown.join(", "))}</p>}
      {known.length > 0 && (
        <details>
          <summary>{draw.known}</summary>
          <div class="chips">
            {[...known].sort().map((word) => (
              <button type="button" key={word} onClick={() => append(word)}>
                {word}
              </button>
            ))}
          </div>
        </details>
      )}
    </div>
  );
}

function Numbers({ studio }: { studio: Studio }) {
  const { draw } = words;
  return (
    <div class="numbers">
      <NumberField studio={studio} label={draw.seed} value={studio.seed} least={0} most={1_000_000_000} />
      <NumberField studio={studio} label={draw.count} value={studio.count} least={1} most={8} />
      <label>
        <span>{draw.kind}</span>
        <select
          value={studio.real.value ? "real" : "rendered"}
          onChange={(event) => {
            studio.real.value = event.currentTarget.value === "real";
            studio.changed();
          }}
        >
          <option value="real">{draw.real}</option>
          <option value="rendered">{draw.rendered}</option>
        </select>
      </label>
    </div>
  );
}

interface NumberFieldProperties {
  studio: Studio;
  label: string;
  value: Signal<number>;
  least: number;
  most: number;
}

function NumberField({ studio, label, value, least, most }: NumberFieldProperties) {
  return (
    <label>
      <span>{label}</span>
      <input
        type="number"
        min={least}
        max={most}
        value={value.value}
        onChange={(event) => {
          const asked = Math.round(event.currentTarget.valueAsNumber);
          if (Number.isFinite(asked)) value.value = Math.min(most, Math.max(least, asked));
          event.currentTarget.value = String(value.value);
          studio.changed();
        }}
      />
    </label>
  );
}
