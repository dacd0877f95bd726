import { computed, signal } from "@preact/signals";
import type { AttentionAnswer, EncodeAnswer, IdentityInfo, ReconstructAnswer } from "../../src/api.ts";
import type { Engine, Models, Work } from "../engine/engine.ts";
import { words } from "../words.ts";
import { judged, type PilePhoto, reasonsIn, withPhotos } from "./pile.ts";
import { Task } from "./task.ts";

/** How long after a change pictures are drawn anew: a slider moves in many small steps. */
const PAUSE = 250;
const MOST_COUNT = 8;

/** All that the page shows and does, without a word of how it looks. */
export class Studio {
  readonly engine: Engine;
  readonly models = signal<Models | undefined>(undefined);
  readonly people = signal<IdentityInfo[]>([]);
  /** A face of each identity that was made here, as an address. */
  readonly faces = signal<Readonly<Record<string, string>>>({});

  readonly pile = signal<PilePhoto[]>([]);
  readonly name = signal("");
  readonly warnings = signal<string[]>([]);
  readonly encoding = new Task();
  /** The identity that the pile became. */
  #ofPile: string | undefined;

  readonly first = signal<string | undefined>(undefined);
  readonly second = signal<string | undefined>(undefined);
  readonly share = signal(0.5);
  readonly similarity = signal<number | undefined>(undefined);

  readonly yaw = signal(0);
  readonly pitch = signal(0);
  readonly expression = signal("neutral");
  readonly asPhoto = signal<{ name: string; landmarks: number[] } | undefined>(undefined);
  readonly seed = signal(0);
  readonly prompt = signal("");
  readonly count = signal(4);
  readonly real = signal(true);
  readonly live = signal(true);
  readonly drawing = new Task();
  readonly pictures = signal<readonly string[]>([]);
  readonly unknownWords = signal<readonly string[]>([]);
  readonly seconds = signal<number | undefined>(undefined);

  readonly looking = new Task();
  readonly attention = signal<AttentionAnswer | undefined>(undefined);
  readonly reconstructing = new Task();
  readonly reconstruction = signal<ReconstructAnswer | undefined>(undefined);

  /** Whose pictures are drawn, in words. */
  readonly title = computed(() => {
    const [a, b] = [this.nameOf(this.first.value), this.nameOf(this.second.value)];
    if (a === undefined) return words.draw.nobody;
    return b === undefined ? words.draw.of(a) : words.draw.mixed(a, b);
  });

  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  /** Fetches what is known; the page can be shown before. */
  async start(work?: Work): Promise<void> {
    this.models.value = await this.engine.models(work);
    this.people.value = await this.engine.people();
    this.#drawsFrom(this.people.value.at(-1));
  }

  nameOf(id: string | undefined): string | undefined {
    return this.people.value.find((one) => one.id === id)?.name;
  }

  /** Photos go onto the pile, and all of it becomes an identity anew; identity files are opened. */
  async add(files: readonly File[]): Promise<void> {
    const identities = files.filter(({ name }) => name.endsWith(".safetensors"));
    for (const file of identities) await this.#open(file);
    const photos = files.filter((file) => !identities.includes(file));
    if (photos.length === 0) return;
    const most = this.models.value?.mostPhotos ?? 100;
    const all = withPhotos(this.pile.value, photos);
    this.warnings.value = all.length > most ? [words.photos.tooMany(most)] : [];
    this.pile.value = all.slice(0, most);
    await this.encode();
  }

  async remove(photo: PilePhoto): Promise<void> {
    this.pile.value = this.pile.value.filter((one) => one !== photo);
    if (this.pile.value.length > 0) await this.encode();
    else this.encoding.cancel();
  }

  /** The next photos are another person's. */
  newPerson(): void {
    this.encoding.cancel();
    this.pile.value = [];
    this.name.value = "";
    this.warnings.value = [];
    this.#ofPile = undefined;
    this.attention.value = undefined;
  }

  async encode(): Promise<void> {
    const pile = this.pile.value;
    const files = pile.map(({ file }) => file);
    const warnings = this.warnings.value;
    const name = this.name.value.trim() || words.photos.unnamed;
    const before = this.#ofPile;
    const done = await this.encoding.run(
      (work) => this.engine.encode(name, files, work),
      (answer) => {
        this.pile.value = judged(this.pile.value, answer);
        this.warnings.value = [...warnings, ...answer.warnings];
        this.encoding.told.value = words.photos.taken(answer.used.length, pile.length);
        this.#took(answer);
      },
    );
    if (!done) {
      if (this.encoding.error.value) this.pile.value = reasonsIn(this.encoding.error.value, this.pile.value);
      return;
    }
    // The pile has become another identity: the one that it was before is of no more use.
    if (before && before !== this.#ofPile && !this.#isSaved(before)) await this.forget(before);
    await this.draw();
  }

  async forget(id: string): Promise<void> {
    await this.#tried(() => this.engine.forget(id));
    this.people.value = this.people.value.filter((one) => one.id !== id);
    if (this.first.value === id) this.#drawsFrom(this.people.value.at(-1));
    if (this.second.value === id) this.second.value = undefined;
  }

  async save(id: string): Promise<void> {
    const saved = await this.#tried(() => this.engine.save(id));
    if (saved) this.people.value = this.people.value.map((one) => (one.id === id ? saved : one));
  }

  async chooseFirst(id: string): Promise<void> {
    this.#drawsFrom(this.people.value.find((one) => one.id === id));
    if (this.second.value === id) this.second.value = undefined;
    this.changed();
    await this.#compare();
  }

  async chooseSecond(id: string | undefined): Promise<void> {
    this.second.value = id;
    this.changed();
    await this.#compare();
  }

  /** Pose and expression of a photo take the place of the sliders. */
  async takePose(photo: File): Promise<void> {
    await this.drawing.run(
      (work) => this.engine.landmarks(photo, work),
      ({ landmarks }) => {
        this.asPhoto.value = { name: photo.name, landmarks };
      },
    );
    if (this.asPhoto.value?.name === photo.name) this.changed();
  }

  otherNoise(): void {
    this.seed.value += 1;
    this.changed();
  }

  /** Something that pictures depend on is another now. */
  changed(): void {
    clearTimeout(this.#timer);
    if (!this.live.value || this.pictures.value.length + Number(this.drawing.running) === 0) return;
    this.#timer = setTimeout(() => void this.draw(), PAUSE);
  }

  async draw(): Promise<void> {
    clearTimeout(this.#timer);
    const models = this.models.value;
    if (!models?.canDraw) return;
    const began = performance.now();
    const { first, second, share } = this;
    const identities: { id: string; share: number }[] = [];
    if (first.value) identities.push({ id: first.value, share: second.value ? 1 - share.value : 1 });
    if (first.value && second.value) identities.push({ id: second.value, share: share.value });
    const [yaw, pitch] = [this.yaw.value, this.pitch.value];
    await this.drawing.run(
      (work) =>
        this.engine.generate(
          {
            identities,
            ...(this.asPhoto.value
              ? { landmarks: this.asPhoto.value.landmarks }
              : { pose: { yaw, pitch }, expression: this.expression.value }),
            ...(this.prompt.value.trim() ? { prompt: this.prompt.value.trim() } : {}),
            count: Math.min(MOST_COUNT, this.count.value),
            seed: this.seed.value,
            guidance: this.real.value ? models.realGuidance : models.guidance,
            preview: true,
          },
          work,
        ),
      ({ pictures, unknownWords }) => {
        this.pictures.value = pictures;
        this.unknownWords.value = unknownWords;
        this.seconds.value = (performance.now() - began) / 1000;
        this.drawing.told.value = words.draw.done(this.seconds.value.toFixed(1));
      },
    );
  }

  cancelDrawing(): void {
    this.drawing.cancel();
    this.drawing.told.value = words.draw.cancelled;
  }

  async look(): Promise<void> {
    const files = this.pile.value.filter(({ state }) => state !== "refused").map(({ file }) => file);
    await this.looking.run(
      (work) => this.engine.attention(files, work),
      (answer) => {
        this.attention.value = answer;
      },
    );
  }

  async reconstruct(photo: File): Promise<void> {
    const ids = [this.first.value, this.second.value].filter((id) => id !== undefined);
    await this.reconstructing.run(
      (work) => this.engine.reconstruct(photo, ids, 7, work),
      (answer) => {
        this.reconstruction.value = answer;
      },
    );
  }

  /** Pictures become this identity's, by the guidance that suits its kind of photos. */
  #drawsFrom(identity: IdentityInfo | undefined): void {
    this.first.value = identity?.id;
    if (identity) this.real.value = identity.pictures !== "trained";
  }

  #took({ identity, used }: EncodeAnswer): void {
    this.#ofPile = identity.id;
    this.people.value = [...this.people.value.filter(({ id }) => id !== identity.id), identity];
    const best = used.reduce((a, b) => (b.quality > a.quality ? b : a), used[0]);
    if (best) this.faces.value = { ...this.faces.value, [identity.id]: best.face };
    this.#drawsFrom(identity);
    if (this.second.value === identity.id) this.second.value = undefined;
    this.attention.value = undefined;
    void this.#compare();
  }

  async #open(file: File): Promise<void> {
    const identity = await this.#tried(() => this.engine.open(file));
    if (!identity) return;
    this.people.value = [...this.people.value, identity];
    await this.chooseFirst(identity.id);
    await this.draw();
  }

  async #compare(): Promise<void> {
    const [a, b] = [this.first.value, this.second.value];
    this.similarity.value = undefined;
    if (!a || !b) return;
    const value = await this.#tried(() => this.engine.compare(a, b));
    if (this.first.value === a && this.second.value === b) this.similarity.value = value;
  }

  #isSaved(id: string): boolean {
    return this.people.value.some((one) => one.id === id && one.saved);
  }

  /** Short work, whose trouble is told where photos are. */
  async #tried<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.encoding.error.value = (error as Error).message;
      return undefined;
    }
  }
}
