/** Whether the addon is the one of `npm run test:asan`, whose own heap keeps what is freed: its size says nothing. */
export const sanitized = process.env.OMNI_ID_NATIVE_FLAGS?.includes("sanitize") ?? false;
