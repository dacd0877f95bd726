import type { ComponentChildren } from "preact";

interface Properties {
  children: ComponentChildren;
  onFiles: (files: File[]) => void;
  multiple?: boolean;
  accept?: string;
  primary?: boolean;
  disabled?: boolean;
}

/** A file input that looks like a button, and stays one for keyboards and screen readers. */
export function FileButton({
  children,
  onFiles,
  multiple,
  accept = "image/*,.heic,.heif",
  primary,
  disabled,
}: Properties) {
  return (
    <label class={`button${primary ? " primary" : ""}${disabled ? " disabled" : ""}`}>
      {children}
      <input
        type="file"
        multiple={multiple}
        accept={accept}
        disabled={disabled}
        onChange={(event) => {
          onFiles([...(event.currentTarget.files ?? [])]);
          // The same file may be chosen again.
          event.currentTarget.value = "";
        }}
      />
    </label>
  );
}
