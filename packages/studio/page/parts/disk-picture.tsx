import { useEffect, useState } from "preact/hooks";

/** A picture that is fetched with the token, where there is one. */
export function DiskPicture({
  load,
  keys,
  alt,
  side,
}: {
  load: () => Promise<string>;
  keys: string;
  alt: string;
  side?: number;
}) {
  const [address, set] = useState<string | undefined>(undefined);
  useEffect(() => {
    let own: string | undefined;
    let stale = false;
    load().then(
      (made) => {
        own = made;
        if (stale) URL.revokeObjectURL(made);
        else set(made);
      },
      () => {},
    );
    return () => {
      stale = true;
      if (own) URL.revokeObjectURL(own);
    };
  }, [keys]);
  return address ? (
    <img src={address} alt={alt} width={side} height={side} />
  ) : (
    <span class="no-picture" role="img" aria-label={alt} />
  );
}
